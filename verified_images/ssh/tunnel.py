"""A TCP connection from the machine to somewhere else, as an ordinary socket here."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import paramiko

from verified_images.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.ssh.link import Link

_PIECE = 1 << 16


class Tunnel:
    """Carries bytes between a direct-tcpip channel and a socket pair, until either side or the session closes it."""

    def __init__(self, link: Link, host: str, port: int, timeout: float) -> None:
        try:
            self._channel = link.transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise UnreachableError(
                f"{host}:{port} could not be reached from {link.machine!r}: {error}",
                machine=link.machine,
            ) from error
        self.near, self._far = socket.socketpair()
        self._threads = (
            threading.Thread(target=self._carry, args=(self._far.recv, self._send), daemon=True),
            threading.Thread(target=self._carry, args=(self._channel.recv, self._receive), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the connection and its threads; the near socket belongs to who asked for the tunnel."""
        self._channel.close()
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._far.close()

    @property
    def ended(self) -> bool:
        """Whether neither direction carries anything any more."""
        return not any(thread.is_alive() for thread in self._threads)

    def _carry(self, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := read(_PIECE):
                write(data)
            write(b"")

    def _send(self, data: bytes) -> None:
        if data:
            self._channel.sendall(data)
        else:
            self._channel.shutdown_write()

    def _receive(self, data: bytes) -> None:
        if data:
            self._far.sendall(data)
        else:
            self._far.shutdown(socket.SHUT_WR)
