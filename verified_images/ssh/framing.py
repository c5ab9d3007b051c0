"""Cutting one command's output out of a stream that it shares with others.

The far side prints a mark before and after; the marks are random, so that no output can look like one. Each mark is
followed by a word (a process id, an exit code) and a newline.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Marks:
    """The two marks of one command."""

    begin: str
    end: str

    @classmethod
    def make(cls) -> Marks:
        """Make marks that nothing else contains."""
        token = secrets.token_hex(16)
        return cls(f"<{token}<", f">{token}>")


@dataclass(slots=True)
class Frame:
    """One stream of one command: fed with what comes, gives what lies between the marks.

    ``before`` tells whether anything stood before the first mark; ``opening`` and ``closing`` are the words after
    the marks, None until they came.
    """

    marks: Marks
    before: bool = False
    opening: str | None = None
    closing: str | None = None
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> bytes:
        """Return what is known to be the command's own output after ``data`` has come."""
        self._pending += data
        if self.opening is None:
            self.opening = self._take_word(self.marks.begin.encode())
            if self.opening is None:
                return b""
        return self._take_output()

    def flush(self) -> bytes:
        """Return what was held back, when the stream ended before its mark."""
        rest = bytes(self._pending) if self.opening is not None and self.closing is None else b""
        self._pending.clear()
        return rest

    def _take_word(self, mark: bytes) -> str | None:
        """Take everything up to and with the mark's line; None when it is not complete."""
        start = self._pending.find(mark)
        end = self._pending.find(b"\n", start) if start != -1 else -1
        if end == -1:
            return None
        self.before = self.before or start > 0
        word = self._pending[start + len(mark) : end].decode("ascii", "replace")
        del self._pending[: end + 1]
        return word

    def _take_output(self) -> bytes:
        mark = self.marks.end.encode()
        start = self._pending.find(mark)
        if start == -1:
            start = len(self._pending) - _overlap(self._pending, mark)
        output = bytes(self._pending[:start])
        del self._pending[:start]
        if self.closing is None:
            self.closing = self._take_word(mark)
        return output


def _overlap(data: bytearray, mark: bytes) -> int:
    """Return how many bytes at the end of ``data`` may be the beginning of ``mark``."""
    start = data.find(mark[:1], max(0, len(data) - len(mark) + 1))
    while start != -1 and not mark.startswith(data[start:]):
        start = data.find(mark[:1], start + 1)
    return 0 if start == -1 else len(data) - start
