"""A line to a server that delays what it carries, and counts how often the client had to wait for an answer."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_PIECE = 1 << 18


class DelayedLine:
    """Listens on ``port`` and carries each connection to ``to`` on the loopback, ``delay`` seconds each way.

    ``round_trips`` counts how often the client spoke after the server had.
    """

    def __init__(self, to: int, delay: float = 0.025) -> None:
        self.round_trips = 0
        self._to = to
        self._delay = delay
        self._server_spoke = True
        self._frozen = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Break every connection that it carries."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def freeze(self) -> None:
        """Carry nothing more, while all connections stay open."""
        self._frozen = True

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                for source, sink, speaker in ((near, far, "client"), (far, near, "server")):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    self._start(self._receive, source, under_way, speaker)
                    self._start(self._deliver, sink, under_way)

    def _receive(self, source: socket.socket, under_way: queue.SimpleQueue[tuple[float, bytes]], speaker: str) -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(_PIECE)
            except OSError:
                data = b""
            if speaker == "client" and data:
                self.round_trips += self._server_spoke
            self._server_spoke = speaker == "server"
            under_way.put((time.monotonic() + self._delay, data))

    def _deliver(self, sink: socket.socket, under_way: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if not self._frozen:
                    sink.sendall(data)
