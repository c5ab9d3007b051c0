"""Waiting: the one place that sleeps.

A wait has a deadline, a condition, and the last thing seen, so that a time-out can say what was there instead.
A thread that works on somebody's behalf waits only as long as that one has not called it off, and what is done within
a budget ends with the budget, however long its own deadlines are.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from verified_images.errors import CalledOffError, DeadlineError, StallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

UNLIMITED = threading.TIMEOUT_MAX
"""Seconds that never pass, and that every wait of the standard library takes."""

_LONGEST_SLEEP = 1.0
_LOOK_SECONDS = 0.2
_PATIENCE = 0.05
_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)
_called_off: ContextVar[tuple[threading.Event, ...]] = ContextVar("called_off", default=())


@contextmanager
def until_called_off(event: threading.Event) -> Iterator[None]:
    """Let every wait in this thread, and in threads that it starts with its context, end once ``event`` is set.

    Inside another such block, either event ends the wait.
    """
    token = _called_off.set((*_called_off.get(), event))
    try:
        yield
    finally:
        _called_off.reset(token)


def check_called_off() -> None:
    """Raise CalledOffError if whoever this thread works for wants it no more."""
    if any(event.is_set() for event in _called_off.get()):
        raise CalledOffError


class Budget:
    """What a piece of work may take as a whole: ``seconds`` in all, ``stall`` seconds without progress; None: no limit.

    Thread-safe; ``name`` is what messages call the work. Time runs from its making.
    """

    def __init__(self, name: str, seconds: float | None, stall: float | None = None) -> None:
        self.name = name
        self.seconds = math.inf if seconds is None else seconds
        self.stall = math.inf if stall is None else stall
        self.last_seen = ""
        self._started = self._progressed = time.monotonic()

    def progress(self, seen: str) -> None:
        """Note that something happened."""
        self._progressed = time.monotonic()
        self.last_seen = seen.strip() or self.last_seen

    @property
    def remaining(self) -> float:
        """Seconds until the budget ends, unless there is progress in the meantime; never negative."""
        now = time.monotonic()
        return max(0.0, min(self._started + self.seconds, self._progressed + self.stall) - now)

    def check(self) -> None:
        """Return if there is time left.

        Raises:
            StallError: there was no progress for too long.
            DeadlineError: the whole time is up.
        """
        now = time.monotonic()
        if now >= self._started + self.seconds:
            raise DeadlineError(f"the end of {self.name}", self.seconds, self.last_seen)
        if now >= self._progressed + self.stall:
            raise StallError(self.name, self.stall, self.last_seen)


@contextmanager
def within(budget: Budget) -> Iterator[Budget]:
    """Let whatever is waited for inside the block end with the budget."""
    token = _budget.set(budget)
    try:
        yield budget
    finally:
        _budget.reset(token)


def current_budget() -> Budget | None:
    """Return the budget that is in force here, if there is one."""
    return _budget.get()


def note_progress(seen: str) -> None:
    """Tell the budget that is in force, if there is one, that something happened."""
    if budget := _budget.get():
        budget.progress(seen)


@dataclass(slots=True)
class Deadline:
    """A point in time, ``seconds`` after its making, with what is waited for as its name."""

    what: str
    seconds: float
    last_seen: str = ""
    _started: float = field(default_factory=time.monotonic)
    _budget: Budget | None = field(default_factory=current_budget, repr=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the wait began."""
        return time.monotonic() - self._started

    @property
    def is_over(self) -> bool:
        """Whether its own time is up, whatever the budget says."""
        return self.elapsed >= self.seconds

    @property
    def own_remaining(self) -> float:
        """Seconds that are left of its own time, for a deadline that is part of it and has the same budget."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def remaining(self) -> float:
        """Seconds that are left, of the budget too; never negative."""
        return min(self.own_remaining, self._budget.remaining) if self._budget else self.own_remaining

    def saw(self, state: str) -> None:
        """Remember the last thing seen, for the message of a time-out; another one than before is progress."""
        if self._budget and state != self.last_seen:
            self._budget.progress(f"{self.what}: {state}")
        self.last_seen = state

    @property
    def patience(self) -> float:
        """Seconds for which something may be waited for before ``check`` is to be called again."""
        return min(self.remaining, _LONGEST_SLEEP)

    def check(self) -> None:
        """Raise DeadlineError when the time is up, CalledOffError when nobody wants it any more."""
        check_called_off()
        if self.is_over:
            raise DeadlineError(self.what, self.seconds, self.last_seen)
        if self._budget:
            self._budget.check()

    def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds``, or for what is left; then check."""
        _sleep(min(seconds, self.remaining))
        self.check()


def wait_for(condition: Callable[[Deadline], T | None], deadline: Deadline, *, every: float = 1.0) -> T:
    """Call ``condition`` until it returns something other than None and return that.

    The condition says what it saw with ``deadline.saw``. ``every`` is the pause between two calls in seconds; one that
    is shorter than a second grows with the time that has been waited already.

    Raises:
        DeadlineError: the deadline passed first.
    """
    while (result := condition(deadline)) is None:
        deadline.sleep(patient(every, deadline.elapsed))
    return result


def patient(every: float, elapsed: float) -> float:
    """Return the pause before the next look in seconds: what has taken long is looked at less often, once a second.

    So few looks are wasted on it, however many wait at the same time, and hardly any time is lost.
    """
    return max(every, min(_PATIENCE * elapsed, _LONGEST_SLEEP))


def pause(seconds: float) -> None:
    """Sleep for ``seconds``, because somebody asked for just that; it is no stall.

    Raises:
        DeadlineError: the budget ended first.
    """
    budget = current_budget()
    if budget is None:
        _sleep(seconds)
        return
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        budget.progress(f"a pause of {seconds:.0f} s")
        _sleep(min(left, _LONGEST_SLEEP, budget.remaining))
        budget.check()


def _sleep(seconds: float) -> None:
    events = _called_off.get()
    if not events:
        if seconds > 0:
            time.sleep(seconds)
        return
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        # Of several, the innermost is waited for, and the others looked at now and then.
        events[-1].wait(left if len(events) == 1 else min(left, _LOOK_SECONDS))
        check_called_off()
