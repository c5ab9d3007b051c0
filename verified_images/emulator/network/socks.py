"""The server's side of SOCKS version 5, CONNECT without authentication. Source: RFC 1928."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from verified_images.emulator.network.proxy_request import ProxyRequestError, Reply, Target

if TYPE_CHECKING:
    import asyncio

VERSION = 5
_NO_AUTHENTICATION = 0
_NO_METHOD = 0xFF
_CONNECT = 1
_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_IPV6_LENGTH = 16


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Target:
    """Agree on no authentication and read the request, whose first byte, the version, has been read.

    Raises:
        ProxyRequestError: it is none that is served.
        asyncio.IncompleteReadError: the client hung up.
    """
    offered = await reader.readexactly((await reader.readexactly(1))[0])
    if _NO_AUTHENTICATION not in offered:
        writer.write(bytes([VERSION, _NO_METHOD]))
        raise ProxyRequestError("the client insists on authentication")
    writer.write(bytes([VERSION, _NO_AUTHENTICATION]))
    version, command, _, kind = await reader.readexactly(4)
    host = await _read_host(reader, kind)
    port = int.from_bytes(await reader.readexactly(2), "big")
    if version != VERSION or command != _CONNECT:
        raise ProxyRequestError(f"command {command} is not served", Reply.COMMAND_NOT_SUPPORTED)
    return Target(host, port)


async def _read_host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == _IPV4:
        return str(IPv4Address(await reader.readexactly(4)))
    if kind == _DOMAIN:
        length = (await reader.readexactly(1))[0]
        return (await reader.readexactly(length)).decode("ascii", "replace")
    if kind == _IPV6:
        await reader.readexactly(_IPV6_LENGTH + 2)
    raise ProxyRequestError(f"address type {kind} is not served", Reply.ADDRESS_NOT_SUPPORTED)


def answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send the answer to a request; the bound address is not told."""
    writer.write(bytes([VERSION, reply, 0, _IPV4, 0, 0, 0, 0, 0, 0]))
