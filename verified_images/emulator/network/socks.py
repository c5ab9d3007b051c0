"""The server's side of SOCKS version 5, CONNECT without authentication. Source: RFC 1928."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_VERSION = 5
_NO_AUTHENTICATION = 0
_NO_METHOD = 0xFF
_CONNECT = 1
_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_IPV6_LENGTH = 16


class Reply(IntEnum):
    """What the server answers a request with."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    COMMAND_NOT_SUPPORTED = 7
    ADDRESS_NOT_SUPPORTED = 8


@dataclass(frozen=True, slots=True)
class Target:
    """Where the client wants to: an IPv4 address or a name, and a TCP port."""

    host: str
    port: int


class SocksError(Exception):
    """The client does not speak SOCKS 5, or asks for what is not served; ``reply`` is the answer it gets, if any."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Target:
    """Agree on no authentication and read the request.

    Raises:
        SocksError: it is none that is served.
        asyncio.IncompleteReadError: the client hung up.
    """
    version, methods = await reader.readexactly(2)
    if version != _VERSION:
        raise SocksError(f"version {version} is not served")
    offered = await reader.readexactly(methods)
    if _NO_AUTHENTICATION not in offered:
        writer.write(bytes([_VERSION, _NO_METHOD]))
        raise SocksError("the client insists on authentication")
    writer.write(bytes([_VERSION, _NO_AUTHENTICATION]))
    version, command, _, kind = await reader.readexactly(4)
    host = await _read_host(reader, kind)
    port = int.from_bytes(await reader.readexactly(2), "big")
    if version != _VERSION or command != _CONNECT:
        raise SocksError(f"command {command} is not served", Reply.COMMAND_NOT_SUPPORTED)
    return Target(host, port)


async def _read_host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == _IPV4:
        return str(IPv4Address(await reader.readexactly(4)))
    if kind == _DOMAIN:
        length = (await reader.readexactly(1))[0]
        return (await reader.readexactly(length)).decode("ascii", "replace")
    if kind == _IPV6:
        await reader.readexactly(_IPV6_LENGTH + 2)
    raise SocksError(f"address type {kind} is not served", Reply.ADDRESS_NOT_SUPPORTED)


def answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send the answer to a request; the bound address is not told."""
    writer.write(bytes([_VERSION, reply, 0, _IPV4, 0, 0, 0, 0, 0, 0]))
