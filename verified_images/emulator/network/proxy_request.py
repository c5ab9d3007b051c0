"""What a client asks of the gateway, and what it is answered, in whichever protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reply(IntEnum):
    """What a request is answered with. Source of the numbers: RFC 1928."""

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


class ProxyRequestError(Exception):
    """The client speaks no protocol of the gateway, or asks for what is not served; ``reply`` is its answer, if any."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply
