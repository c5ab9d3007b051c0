"""Loopback ports of this machine that lead to a guest's ports, closed ones included."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.fake.guest import Guest

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


class Forward:
    """A listening port; each connection is given to ``serve`` in a thread of its own, which closes it."""

    def __init__(self, name: str, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1", int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._workers: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._accept, name=f"forward-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the port; connections that are served are left to their guest's end."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def join(self) -> None:
        """Wait for the connections to end."""
        with self._lock:
            workers = tuple(self._workers)
        for worker in workers:
            worker.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # An SSH answer is several small packets: held back for acknowledgements, it would take 40 ms a packet.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            worker = threading.Thread(target=self._work, args=[connection], name=self._thread.name, daemon=True)
            with self._lock:
                self._workers.add(worker)
            worker.start()

    def _work(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._serve(connection)
        finally:
            with self._lock:
                self._workers.discard(threading.current_thread())


def refuse(connection: socket.socket) -> None:
    """Close a connection as a closed port does: with a reset."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()


def connect_to_service(guest: Guest, connection: socket.socket, host: str, port: int) -> None:
    """Join a connection with one that a process inside of the guest makes to ``host`` and ``port``, until it ends."""
    end = connection.fileno()
    with guest.sandbox.spawn(["/bin/busybox", "nc", host, str(port)], stdin=end, stdout=end, stderr=2) as relay:
        # The relay has its own copy: with this one open, the other side would never see the end.
        connection.close()
        relay.wait()
