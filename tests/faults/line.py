"""The line between a session and its machines: it can be cut, and it can go silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

_CHUNK = 65536


@dataclass(slots=True, eq=False)
class _Relay:
    """One connection: ``near`` and ``far`` are the two ends that this process holds."""

    near: socket.socket
    far: socket.socket
    silent: threading.Event = field(default_factory=threading.Event)
    ended: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self, source: socket.socket) -> None:
        """Take note that nothing is read from ``source`` any more."""
        self.cut()
        self.ended.append(source)
        if len(self.ended) == len((self.near, self.far)):
            self.near.close()
            self.far.close()


class Line:
    """Every connection goes through it; ``answers`` counts the pieces that came from the machines.

    What is to happen happens instead of the next answer but ``after`` others.
    """

    def __init__(self) -> None:
        self.answers = 0
        self._lock = threading.Lock()
        self._relays: list[_Relay] = []
        self._event = ""
        self._after = 0
        self._dead = False

    def through(self, connection: socket.socket) -> socket.socket:
        """Give the near end of a connection that goes through the line."""
        connection.settimeout(None)
        ours, inner = socket.socketpair()
        relay = _Relay(inner, connection)
        with self._lock:
            self._relays.append(relay)
            if self._dead:
                relay.silent.set()
        for source, target in ((inner, connection), (connection, inner)):
            threading.Thread(target=self._pump, args=(relay, source, target), daemon=True).start()
        return ours

    def cut(self, after: int = 0) -> None:
        """Cut every connection once; those that are made later are whole."""
        self._expect("cut", after)

    def fall_silent(self, after: int = 0, *, for_good: bool) -> None:
        """Let nothing through any more, on these connections or, ``for_good``, on any."""
        self._expect("dead" if for_good else "silent", after)

    def _expect(self, event: str, after: int) -> None:
        with self._lock:
            self._event, self._after = event, after

    def _pump(self, relay: _Relay, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if source is relay.far:
                    self._answered()
                if relay.silent.is_set():
                    threading.Event().wait()  # the connection stays, and nothing moves on it
                target.sendall(data)
        relay.end(source)

    def _answered(self) -> None:
        with self._lock:
            self.answers += 1
            if not self._event:
                return
            if self._after:
                self._after -= 1
                return
            event, self._event = self._event, ""
            self._dead = event == "dead"
            for relay in self._relays:
                if event == "cut":
                    relay.cut()
                else:
                    relay.silent.set()
            self._relays.clear()
