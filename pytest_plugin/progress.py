"""What a build tells while it works: kept for the failing case, and shown live where that was asked for."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from pytest_plugin.critical_path import time_steps
from pytest_plugin.status import is_uncaptured, is_watched

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_plugin.terminal import Terminal

SECONDS_BETWEEN_PLAIN_LINES = 5.0


class Live(Protocol):
    """Where progress is shown while the build works."""

    def step(self, source: str, message: str) -> None:
        """Show one line about what is being done; ``source`` names the spec."""

    def text(self, source: str, line: str) -> None:
        """Show one line of a command's output."""


class Progress:
    """The progress of one spec's build; thread-safe. Gives the build its ``Output``."""

    def __init__(self, source: str, live: Live, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._live = live
        self._clock = clock
        self._begun: list[tuple[str, float]] = []
        self._lock = threading.RLock()
        self._kept: list[str] = []
        self._unfinished = ""
        self._last_line = ""

    def step(self, message: str) -> None:
        """Take one line about what is being done."""
        with self._lock:
            self._finish_line()
            self._kept.append(f"{message}\n")
            self._begun.append((message, self._clock()))
            self._last_line = ""
            self._live.step(self._source, message)

    def text(self, chunk: str) -> None:
        """Take a piece of a command's output."""
        with self._lock:
            *lines, self._unfinished = (self._unfinished + chunk).split("\n")
            for line in lines:
                self._take_line(line)

    def begin(self) -> None:
        """Forget what was kept: another stage begins."""
        with self._lock:
            self._kept.clear()
            self._begun.clear()
            self._last_line = ""
            self._unfinished = ""

    def kept(self) -> str:
        """Give everything that was told since the stage began."""
        with self._lock:
            self._finish_line()
            return "".join(self._kept)

    @property
    def latest(self) -> str:
        """The step that was begun last, and the last line of output since."""
        with self._lock:
            step = self._begun[-1][0] if self._begun else ""
            return " | ".join(part for part in (step, self._last_line) if part)

    def steps(self) -> tuple[tuple[str, float], ...]:
        """Give the steps since the stage began, with the seconds that each has lasted."""
        with self._lock:
            return time_steps(self._begun, self._clock())

    def _finish_line(self) -> None:
        if self._unfinished:
            line, self._unfinished = self._unfinished, ""
            self._take_line(line)

    def _take_line(self, line: str) -> None:
        # A progress bar overwrites its line: the last state of it is what a terminal would show.
        line = line.rstrip("\r").rpartition("\r")[2]
        self._kept.append(f"{line}\n")
        self._last_line = line
        self._live.text(self._source, line)


class TerminalLive:
    """Shows progress in pytest's terminal, with -v or -s: steps, and the output of commands.

    Where nobody watches (no terminal, or CI), steps come every few seconds at most.
    """

    def __init__(self, config: pytest.Config, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._last = float("-inf")
        self._watched = is_watched(config)
        self._shows_steps = self._shows_text = is_uncaptured(config) or config.get_verbosity() > 0
        self._waiting: deque[str] | None = None

    def step(self, source: str, message: str) -> None:
        """Show a step, unless nobody watches and one was shown a moment ago."""
        if self._shows_steps and (self._watched or self._clock() - self._last >= SECONDS_BETWEEN_PLAIN_LINES):
            self._last = self._clock()
            self.announce(source, message)

    def text(self, source: str, line: str) -> None:
        """Show a line of a command's output."""
        if self._shows_text:
            self.announce(source, f"| {line}")

    def announce(self, source: str, message: str) -> None:
        """Show a line about a spec whatever was asked for."""
        self.note(f"    [{source}] {message}")

    def note(self, line: str) -> None:
        """Show a line whatever was asked for."""
        if self._waiting is not None and threading.current_thread() is not threading.main_thread():
            self._waiting.append(line)
        else:
            self._terminal.show(line)

    def reveal(self) -> None:
        """Show steps from now on, whatever was asked for: the user is waiting for the end."""
        self._shows_steps = True

    def hold_back(self) -> None:
        """Keep lines from now on until ``pass_on``: builds go on while tests run, whose lines are not to be broken."""
        self._waiting = deque()

    def pass_on(self) -> None:
        """Show the lines that were kept; to be called between items."""
        while self._waiting:
            self._terminal.show(self._waiting.popleft())
