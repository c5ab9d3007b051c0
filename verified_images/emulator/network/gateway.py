"""The way from the host to the local Azure's public addresses: a SOCKS5 proxy on 127.0.0.1."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud


class Gateway:
    """Listens on ``port`` (0 takes a free one) until it is closed."""

    def __init__(self, cloud: Cloud, port: int) -> None:
        self._cloud = cloud
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
