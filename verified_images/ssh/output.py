"""What a command printed: kept as bytes, and shown live as text."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING

from verified_images.ssh.arrivals import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.masking import Masker

Output = Callable[[str], None]
"""Receives live output: text of whole lines, without the secrets, in the order of arrival."""

_FORGET_FROM = 1 << 20  # bytes
_LONGEST_LINE = 64 * 1024  # characters after which a line is shown although it has not ended


class _Lines:
    """Decodes one stream and gives it out by whole lines."""

    def __init__(self, masker: Masker) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._masked = masker.stream()
        self._line = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        self._line += self._masked.feed(self._decoder.decode(data, final))
        if final:
            self._line += self._masked.flush()
        # A carriage return ends a line too: progress bars never print a newline.
        complete = max(self._line.rfind("\n"), self._line.rfind("\r")) + 1
        if final or len(self._line) - complete > _LONGEST_LINE:
            complete = len(self._line)
        shown, self._line = self._line[:complete], self._line[complete:]
        return shown


class Kept:
    """The end of a stream: all of it, or its last ``limit`` bytes."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Append ``data``; forget the oldest bytes when there are far too many."""
        self._pieces.append(data)
        self._size += len(data)
        # Not at every piece, so that forgetting costs each byte about one copy.
        if self._limit is not None and self._size > 2 * self._limit + _FORGET_FROM:
            self._pieces = [bytes(self)]
            self._size = len(self._pieces[0])

    def __bytes__(self) -> bytes:
        data = b"".join(self._pieces)
        return data if self._limit is None else data[max(0, len(data) - self._limit) :]


class Collector:
    """Takes a command's two streams: keeps them, and hands whole lines to ``output``."""

    def __init__(self, masker: Masker, output: Output | None = None, keep: int | None = None) -> None:
        self._output = output
        self._kept = {STDOUT: Kept(keep), STDERR: Kept(keep)}
        self._lines = {STDOUT: _Lines(masker), STDERR: _Lines(masker)} if output else {}

    def add(self, stream: int, data: bytes, *, final: bool = False) -> None:
        """Take a piece of a stream; ``final`` says that it is the last one."""
        self._kept[stream].add(data)
        if self._output is not None and (data or final):
            shown = self._lines[stream].feed(data, final=final)
            if shown:
                self._output(shown)

    def take(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Take all pieces of both streams."""
        for stream, data in pieces:
            self.add(stream, data)

    def finish(self) -> None:
        """Show what has not ended with a newline."""
        for stream in (STDOUT, STDERR):
            self.add(stream, b"", final=True)

    @property
    def stdout(self) -> bytes:
        """What came on standard output."""
        return bytes(self._kept[STDOUT])

    @property
    def stderr(self) -> bytes:
        """What came on standard error."""
        return bytes(self._kept[STDERR])
