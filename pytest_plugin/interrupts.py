"""SIGTERM, which CI systems send before they kill, ends a session as Ctrl-C does: with its clean-up."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class TermAsInterrupt:
    """Turns SIGTERM into KeyboardInterrupt between ``install`` and ``restore``."""

    def __init__(self) -> None:
        self._installed = False
        self._previous: signal.Handlers | object = signal.SIG_DFL

    def install(self) -> None:
        """Begin; in a thread that gets no signals, do nothing."""
        if not self._installed and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGTERM, _interrupt)
            self._installed = True

    def restore(self) -> None:
        """Let the signal do what it did before."""
        if self._installed:
            signal.signal(signal.SIGTERM, self._previous)  # type: ignore[arg-type]
            self._installed = False


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt("terminated")
