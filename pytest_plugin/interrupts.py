"""SIGTERM, which CI systems send before they kill, ends a session as Ctrl-C does: with its clean-up.

What sends a signal to a process and to its whole group, as timeout(1) does, means it once.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SAME_SECONDS = 0.1
"""Two signals within so short a time are one."""

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class TermAsInterrupt:
    """Turns SIGTERM and SIGINT into one KeyboardInterrupt between ``install`` and ``restore``."""

    def __init__(self) -> None:
        self._previous: dict[signal.Signals, signal.Handlers | object] = {}
        self._last = float("-inf")
        self._first: float | None = None

    @property
    def seconds_since(self) -> float | None:
        """How long ago the first signal came; None: there was none."""
        return None if self._first is None else time.monotonic() - self._first

    def install(self) -> None:
        """Begin; in a thread that gets no signals, do nothing."""
        if self._previous or threading.current_thread() is not threading.main_thread():
            return
        for number in _NUMBERS:
            # A SIGINT that somebody else handles, or that is ignored in the background of a shell, stays as it is.
            if number is signal.SIGTERM or signal.getsignal(number) is signal.default_int_handler:
                self._previous[number] = signal.signal(number, self._interrupt)

    def restore(self) -> None:
        """Let the signals do what they did before."""
        for number, previous in self._previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]
        self._previous.clear()

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        is_same, self._last = now - self._last < SAME_SECONDS, now
        self._first = now if self._first is None else self._first
        if not is_same:
            raise KeyboardInterrupt(*(("terminated",) if number == signal.SIGTERM else ()))
