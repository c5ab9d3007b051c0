"""How a TCP connection to a machine's address is opened: directly, or through a SOCKS proxy."""

from __future__ import annotations

import socket
from typing import Protocol

from python_socks import ProxyError
from python_socks.sync import Proxy

_NOTICED_DEAD = 60_000  # milliseconds without an acknowledgement after which the kernel gives the connection up


class Reach(Protocol):
    """Opens a TCP connection to ``port`` of ``address``; raises OSError when that fails within ``timeout`` seconds."""

    def __call__(self, address: str, port: int, timeout: float) -> socket.socket:
        """Open the connection."""


def reach_directly(address: str, port: int, timeout: float) -> socket.socket:
    """Connect from here: the reach for machines with a public or routed address."""
    return _tuned(socket.create_connection((address, port), timeout))


class SocksReach:
    """Connects through a SOCKS5 proxy, which also resolves the name: ``SocksReach("socks5://127.0.0.1:1080")``."""

    def __init__(self, proxy: str) -> None:
        self.proxy = proxy
        # Remote DNS: the name means something on the proxy's side only.
        self._proxy = Proxy.from_url(proxy, rdns=True)

    def __call__(self, address: str, port: int, timeout: float) -> socket.socket:
        """Connect to ``port`` of ``address`` within ``timeout`` seconds, or raise OSError."""
        try:
            return _tuned(self._proxy.connect(address, port, timeout=timeout))
        except ProxyError as error:
            raise ConnectionRefusedError(f"the proxy {self.proxy} refused {address}:{port}: {error}") from error


def _tuned(connection: socket.socket) -> socket.socket:
    # A command is one small packet each way: Nagle's algorithm would hold it back for a delayed acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _NOTICED_DEAD)
    return connection
