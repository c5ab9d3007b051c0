"""Connections through a gateway, as a client sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from python_socks import ProxyError
from python_socks.sync import Proxy

if TYPE_CHECKING:
    import socket

    from verified_images.emulator.network.gateway import Gateway

SSH = 22


def connect(gateway: Gateway, host: str, port: int = SSH) -> socket.socket:
    return Proxy.from_url(f"socks5://127.0.0.1:{gateway.port}").connect(host, port, timeout=10)


def read_all(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(10)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def hear(gateway: Gateway, host: str, port: int = SSH) -> str:
    return read_all(connect(gateway, host, port)).decode()


def reply_code(gateway: Gateway, host: str, port: int = SSH) -> int:
    """Give the code of the reply that refuses a connection."""
    with pytest.raises(ProxyError) as refused:
        connect(gateway, host, port)
    return int(refused.value.error_code or 0)
