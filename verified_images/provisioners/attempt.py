"""One try of one provisioner: its time, its last lines of output, and how it can fail."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from verified_images.provisioners.context import ProvisionContext
    from verified_images.templates.provisioners import Provisioner

_TAIL_LINES = 20
_TAIL_CHARACTERS = 4000


class AttemptError(Exception):
    """The try failed: a clause that goes after "failed"; ``exit_code`` is that of what failed on the machine."""

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Attempt:
    """One try: ``show`` takes its live output, ``deadline`` is None when it may take as long as it likes.

    ``tried`` says how often it was tried before.
    """

    def __init__(self, context: ProvisionContext, provisioner: Provisioner, tried: int = 0) -> None:
        self.context = context
        self.provisioner = provisioner
        self.tried = tried
        limit = provisioner.timeout
        self.deadline = None if limit is None else Deadline(f"the end of the {provisioner.kind} provisioner", limit)
        self._masked = context.masker.stream()
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._line = ""

    @property
    def remaining(self) -> float | None:
        """The seconds that are left; None for as many as it likes."""
        return None if self.deadline is None else self.deadline.remaining

    def show(self, text: str) -> None:
        """Pass live output on, without secrets, and remember its end."""
        self._pass_on(self._masked.feed(text))

    def finish(self) -> None:
        """Pass on what was held back since it might have become a secret."""
        self._pass_on(self._masked.flush())

    @property
    def tail(self) -> str:
        """The last lines of output."""
        lines = [*self._lines, self._line] if self._line else list(self._lines)
        return "\n".join(lines)[-_TAIL_CHARACTERS:]

    def _pass_on(self, text: str) -> None:
        if not text:
            return
        self.context.output(text)
        *complete, self._line = (self._line + text).splitlines(keepends=True)
        if self._line.endswith(("\n", "\r")):
            complete.append(self._line)
            self._line = ""
        self._lines.extend(line.rstrip() for line in complete)
