"""A port here that leads to a machine's SSH server, for programs that know nothing of how the machine is reached."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from verified_images.ssh.address import Address
    from verified_images.ssh.reach import Reach

_HOST = "127.0.0.1"
_PIECE = 1 << 16
_CONNECT_WITHIN = 20.0  # seconds


class LocalPort:
    """Listens on a free port of the loopback interface; each connection goes on to ``address`` through ``reach``.

    A machine that cannot be reached ends the connection at once. Leaving the context ends all of them.
    """

    def __init__(self, address: Address, reach: Reach) -> None:
        self._address = address
        self._reach = reach
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listener = socket.create_server((_HOST, 0))
        self.host = _HOST
        self.port: int = self._listener.getsockname()[1]
        self._begin(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the port, its connections and its threads."""
        with self._lock:
            self._closed = True
            sockets = list(self._sockets)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts; closing alone does not
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._begin(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._reach(self._address.host, self._address.port, _CONNECT_WITHIN) as far:
                far.settimeout(None)
                if self._keep(near, far):
                    self._carry_both_ways(near, far)

    def _carry_both_ways(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=_carry, args=(far, near), daemon=True)
        back.start()
        _carry(near, far)
        back.join()
        with self._lock:
            self._sockets -= {near, far}

    def _keep(self, *sockets: socket.socket) -> bool:
        """Remember the sockets, so that ``close`` can end them; False if that has come before."""
        with self._lock:
            self._sockets.update(sockets)
            return not self._closed


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
