"""Where a build tells what it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from verified_images.masking import Masker


class Output(Protocol):
    """A sink for a build's progress. Both methods may be called from any thread."""

    def step(self, message: str) -> None:
        """Take one line about what is being done, or was done and in how many seconds."""

    def text(self, chunk: str) -> None:
        """Take a piece of a command's live output as it comes, not always a whole line."""


class MaskedOutput:
    """An Output that hides the registered secrets before it passes on what it was given."""

    def __init__(self, output: Output, masker: Masker) -> None:
        self._output = output
        self._masker = masker

    def step(self, message: str) -> None:
        """Pass on the masked line."""
        self._output.step(self._masker.mask(message))

    def text(self, chunk: str) -> None:
        """Pass on the masked chunk."""
        self._output.text(self._masker.mask(chunk))
