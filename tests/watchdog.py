"""The end of a process whose test hangs although pytest-timeout has failed it.

pytest-timeout raises once, in the main thread. A ``with`` block that then waits for threads which never end, the end of
a fixture, and the end of the interpreter have no time limit of their own: without this, they would take all of CI's.
"""

from __future__ import annotations

import faulthandler
import math
import os
import threading
import time
from typing import IO

HANGS = 70
"""The exit code of such a process: EX_SOFTWARE of sysexits.h."""

_LOOK_SECONDS = 1.0


class Watchdog:
    """Ends this process with the stacks of all threads in ``output`` when something takes longer than it was given.

    It looks in a thread of its own, and keeps that process from nothing else.
    """

    def __init__(self, output: IO[str], look: float = _LOOK_SECONDS) -> None:
        self._output = output
        self._look = look
        self._what = ""
        self._until = math.inf
        self._end_wait = threading.Event().wait  # what a test puts in the place of time.sleep does not count
        self._now = time.monotonic
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def allow(self, what: str, seconds: float) -> None:
        """Give the next thing so many seconds from now on, instead of the one before."""
        self._what, self._until = what, self._now() + seconds

    def _watch(self) -> None:
        while self._now() < self._until:
            self._end_wait(self._look)
        self._output.write(f"\n{self._what} hangs: this process is ended\n")
        self._output.flush()
        faulthandler.dump_traceback(self._output, all_threads=True)
        os._exit(HANGS)
