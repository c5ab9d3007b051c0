"""Waiting: the one place that sleeps.

A wait has a deadline, a condition, and the last thing seen, so that a time-out can say what was there instead.
A thread that works on somebody's behalf waits only as long as that one has not called it off.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from verified_images.errors import CalledOffError, DeadlineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_called_off: ContextVar[threading.Event | None] = ContextVar("called_off", default=None)


@contextmanager
def until_called_off(event: threading.Event) -> Iterator[None]:
    """Let every wait in this thread, and in threads that it starts with its context, end once ``event`` is set."""
    token = _called_off.set(event)
    try:
        yield
    finally:
        _called_off.reset(token)


def check_called_off() -> None:
    """Raise CalledOffError if whoever this thread works for wants it no more."""
    event = _called_off.get()
    if event is not None and event.is_set():
        raise CalledOffError


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
        """Raise DeadlineError when the time is up, CalledOffError when nobody wants it any more."""
        check_called_off()
        if self.remaining <= 0:
            raise DeadlineError(self.what, self.seconds, self.last_seen)

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``, or for what is left; then check."""
        pause(min(seconds, self.remaining))
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
    event = _called_off.get()
    if seconds > 0 and event is not None:
        event.wait(seconds)
        check_called_off()
    elif seconds > 0:
        time.sleep(seconds)
