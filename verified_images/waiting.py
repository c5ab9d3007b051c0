"""Waiting: the one place that sleeps.

A wait has a deadline, a condition, and the last thing seen, so that a time-out can say what was there instead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from verified_images.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(slots=True)
class Deadline:
    """A point in time, ``seconds`` after its making, with what is waited for as its name."""

    what: str
    seconds: float
    last_seen: str = ""
    _started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the wait began."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    def saw(self, state: str) -> None:
        """Remember the last thing seen, for the message of a time-out."""
        self.last_seen = state

    def check(self) -> None:
        """Raise DeadlineError when the time is up."""
        if self.remaining <= 0:
            raise DeadlineError(self.what, self.seconds, self.last_seen)

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``, or for what is left; then check."""
        time.sleep(min(seconds, self.remaining))
        self.check()


def wait_for(condition: Callable[[Deadline], T | None], deadline: Deadline, *, every: float = 1.0) -> T:
    """Call ``condition`` until it returns something other than None and return that.

    The condition says what it saw with ``deadline.saw``. ``every`` is the pause between two calls in seconds.

    Raises:
        DeadlineError: the deadline passed first.
    """
    while (result := condition(deadline)) is None:
        deadline.sleep(every)
    return result


def pause(seconds: float) -> None:
    """Sleep for ``seconds``, because somebody asked for just that."""
    if seconds > 0:
        time.sleep(seconds)
