"""Where a build tells what it is doing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from verified_images.waiting import note_progress

if TYPE_CHECKING:
    from verified_images.masking import Masker

_SEEN = 200  # characters of output that a message about a stall shows


class Output(Protocol):
    """A sink for a build's progress. Both methods may be called from any thread."""

    def step(self, message: str) -> None:
        """Take one line about what is being done, or was done and in how many seconds."""

    def text(self, chunk: str) -> None:
        """Take a piece of a command's live output as it comes, not always a whole line."""


class MaskedOutput:
    """An Output that hides secrets before it passes on what it was given, also one that two chunks share."""

    def __init__(self, output: Output, masker: Masker) -> None:
        self._output = output
        self._masker = masker
        self._stream = masker.stream()
        self._lock = threading.Lock()

    def step(self, message: str) -> None:
        """Pass on the masked line, after what was held back of the text before it; that is progress."""
        note_progress(self._masker(message))
        self.tell(message)

    def tell(self, message: str) -> None:
        """Pass on the masked line as ``step`` does, about something that has not changed."""
        with self._lock:
            rest = self._stream.flush()
        if rest:
            self._output.text(rest)
        self._output.step(self._masker(message))

    def text(self, chunk: str) -> None:
        """Pass on as much of the text as cannot be the beginning of a secret."""
        with self._lock:
            shown = self._stream.feed(chunk)
        note_progress(shown[-_SEEN:])
        if shown:
            self._output.text(shown)
