"""What a channel brings, in the order in which it came.

paramiko keeps the two streams of a channel in two buffers, which loses their order and leaves no way to wait for
either: here both note their arrivals in one queue.
"""

from __future__ import annotations

import queue
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from paramiko.buffered_pipe import BufferedPipe

if TYPE_CHECKING:
    import paramiko

    _Pipe = BufferedPipe[bytes]  # generic in the type stubs only
else:
    _Pipe = BufferedPipe

STDOUT, STDERR = 1, 2


class Arrival(NamedTuple):
    """A piece of one stream; ``data`` is empty at the stream's end."""

    stream: int
    data: bytes


class _NotingPipe(_Pipe):
    """A buffer for paramiko that notes how much came, for whom, and keeps the pieces as they came.

    paramiko's own moves all of its bytes whenever some are read, which takes most of the time of a large output.
    """

    def __init__(self, stream: int, notes: queue.SimpleQueue[tuple[int, int]]) -> None:
        super().__init__()
        self._stream = stream
        self._notes = notes
        self._pieces: deque[bytes] = deque()

    def feed(self, data: bytes) -> None:
        if data:  # a size of 0 means the end
            self._pieces.append(data)
            self._notes.put((self._stream, len(data)))

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        # Called once for each note, with its size.
        del nbytes, timeout
        return self._pieces.popleft()

    def close(self) -> None:
        self._notes.put((self._stream, 0))


class Arrivals:
    """The two streams of a fresh channel, on which nothing has been requested yet."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._notes: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        channel.in_buffer = _NotingPipe(STDOUT, self._notes)
        channel.in_stderr_buffer = _NotingPipe(STDERR, self._notes)

    def next(self, timeout: float | None = None) -> Arrival | None:
        """Return the next piece, or None when nothing came within ``timeout`` seconds."""
        try:
            stream, size = self._notes.get(timeout=timeout) if timeout != 0 else self._notes.get_nowait()
        except queue.Empty:
            return None
        receive = self._channel.recv if stream == STDOUT else self._channel.recv_stderr
        return Arrival(stream, receive(size) if size else b"")

    def discard(self) -> bool:
        """Take and drop what has come; return whether there was anything."""
        dropped = False
        while (arrival := self.next(0)) is not None and arrival.data:
            dropped = True
        return dropped
