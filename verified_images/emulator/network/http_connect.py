"""The server's side of HTTP's CONNECT, for clients that know no SOCKS. Source: RFC 9110, "CONNECT"."""

from __future__ import annotations

import asyncio
import re

from verified_images.emulator.network.proxy_request import ProxyRequestError, Reply, Target

_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
_TARGET = re.compile(r"([A-Za-z0-9.-]+):([0-9]{1,5})")
_END = b"\r\n\r\n"
_STATUSES = {
    Reply.SUCCEEDED: "200 Connection established",
    Reply.FAILURE: "400 Not a CONNECT request",
    Reply.NOT_ALLOWED: "403 Private addresses are reached from inside alone",
    Reply.NETWORK_UNREACHABLE: "502 Neither a host of Azure nor a public address of the local Azure",
    Reply.HOST_UNREACHABLE: "504 Nothing answers: no rule admits the port, or the machine is down",
    Reply.REFUSED: "502 The machine refuses the connection",
    Reply.COMMAND_NOT_SUPPORTED: "405 Only CONNECT is served",
    Reply.ADDRESS_NOT_SUPPORTED: "400 Neither a name nor an IPv4 address with a port",
}


async def read_request(reader: asyncio.StreamReader, first: bytes) -> Target:
    """Read the request that begins with ``first``.

    Raises:
        ProxyRequestError: it is none that is served.
        asyncio.IncompleteReadError: the client hung up.
    """
    if not first.isupper():
        raise ProxyRequestError("it speaks neither SOCKS 5 nor HTTP")
    try:
        head = first + await reader.readuntil(_END)
    except asyncio.LimitOverrunError as error:
        raise ProxyRequestError("the request has no end", Reply.FAILURE) from error
    request = _REQUEST.match(head)
    if request is None:
        raise ProxyRequestError("it is no request of HTTP/1", Reply.FAILURE)
    if request[1] != b"CONNECT":
        raise ProxyRequestError(f"{request[1].decode()} is not served", Reply.COMMAND_NOT_SUPPORTED)
    target = _TARGET.fullmatch(request[2].decode("ascii", "replace"))
    if target is None:
        raise ProxyRequestError("the target is not served", Reply.ADDRESS_NOT_SUPPORTED)
    return Target(target[1], int(target[2]))


def answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send the answer to a request."""
    length = "" if reply is Reply.SUCCEEDED else "Content-Length: 0\r\nConnection: close\r\n"
    writer.write(f"HTTP/1.1 {_STATUSES[reply]}\r\n{length}\r\n".encode())
