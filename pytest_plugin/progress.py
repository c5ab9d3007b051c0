"""What a build tells while it works: kept for the failing case, and shown live where that was asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from pytest_plugin.critical_path import time_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

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

    def step(self, message: str) -> None:
        """Take one line about what is being done."""
        with self._lock:
            self._finish_line()
            self._kept.append(f"{message}\n")
            self._begun.append((message, self._clock()))
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
            self._unfinished = ""

    def kept(self) -> str:
        """Give everything that was told since the stage began."""
        with self._lock:
            self._finish_line()
            return "".join(self._kept)

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
        self._live.text(self._source, line)


class TerminalLive:
    """Shows progress in pytest's terminal, with -v or -s: steps, and the output of commands.

    Where nobody watches (no terminal), steps come every few seconds at most.
    """

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._capture = config.pluginmanager.get_plugin("capturemanager")
        self._clock = clock
        self._last = float("-inf")
        self._unended = False
        uncaptured = config.getoption("capture") == "no"
        verbosity = config.get_verbosity()
        self._watched = self._reporter is not None and bool(self._reporter.isatty)
        self._shows_steps = self._shows_text = uncaptured or verbosity > 0
        self._waiting: deque[str] | None = None

    def step(self, source: str, message: str) -> None:
        """Show a step, unless nobody watches and one was shown a moment ago."""
        if self._shows_steps and (self._watched or self._clock() - self._last >= SECONDS_BETWEEN_PLAIN_LINES):
            self._last = self._clock()
            self._show(f"    [{source}] {message}")

    def text(self, source: str, line: str) -> None:
        """Show a line of a command's output."""
        if self._shows_text:
            self._show(f"    [{source}] | {line}")

    def announce(self, source: str, message: str) -> None:
        """Show a line whatever was asked for: something is not as the user expects it."""
        self._show(f"    [{source}] {message}")

    def reveal(self) -> None:
        """Show steps from now on, whatever was asked for: the user is waiting for the end."""
        self._shows_steps = True

    def hold_back(self) -> None:
        """Keep lines from now on until ``pass_on``: builds go on while pytest captures what a test writes."""
        self._waiting = deque()

    def pass_on(self) -> None:
        """Show the lines that were kept; to be called between items."""
        while self._waiting:
            self._show_now(self._waiting.popleft())

    def finish(self) -> None:
        """End the line that was shown last, before something else is written."""
        if self._unended and self._reporter is not None and not self._reporter.currentfspath:
            self._write("\n")

    def _show(self, line: str) -> None:
        if self._waiting is not None and threading.current_thread() is not threading.main_thread():
            self._waiting.append(line)
            return
        with contextlib.nullcontext() if self._capture is None else self._capture.global_and_fixture_disabled():
            self._show_now(line)

    def _show_now(self, line: str) -> None:
        # pytest begins a new line itself when it goes on, so the last line shown is left without an end.
        pytest_wrote_last = self._reporter is not None and bool(self._reporter.currentfspath)
        if self._reporter is not None and pytest_wrote_last:
            self._reporter.ensure_newline()
        self._write(line if pytest_wrote_last else f"\n{line}")
        self._unended = True

    def _write(self, text: str) -> None:
        if self._reporter is not None:
            self._reporter.write(text, flush=True)
