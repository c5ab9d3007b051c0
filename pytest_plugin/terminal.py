"""pytest's terminal, written to by builds: lines between those of pytest, and lines below the cursor that come and go.

Builds go on in threads, and while pytest captures what tests write, so this writes to the terminal itself. What is
below the cursor is taken away before pytest writes and put back afterwards, so that pytest need not know of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_ERASE = "\x1b[J"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_DOWN = "\x1bD"
"""Moves the cursor down and keeps its column, scrolling at the end of the screen (IND)."""

_LEAST_ABOVE = 3
"""Lines of the screen that are left to pytest."""


class Terminal:
    """The terminal of a session; thread-safe. Without a reporter (``-p no:terminal``) nothing is shown.

    ``shares_lines`` tells that pytest goes on in the line that it left, as it does with the dots of xdist's workers.
    """

    def __init__(self, reporter: pytest.TerminalReporter | None, *, shares_lines: bool = False) -> None:
        self.lock = threading.RLock()
        self._reporter: Any = reporter  # what is needed of it is no part of pytest's interface
        self._shares_lines = shares_lines
        self._file: TextIO | None = None
        self._pytests: TextIO | None = None
        self._below: tuple[str, ...] = ()
        self._unended = self._is_open = self._pausing = False

    @property
    def size(self) -> os.terminal_size:
        """Its columns and lines."""
        with contextlib.suppress(OSError, ValueError):
            if self._file is not None:
                return os.get_terminal_size(self._file.fileno())
        return os.terminal_size((80, 24))

    def open(self) -> None:
        """Begin, while pytest captures nothing."""
        writer = getattr(self._reporter, "_tw", None)
        if writer is None or self._is_open:
            return
        self._pytests = self._file = writer._file  # noqa: SLF001 - pytest has no other way to it
        with contextlib.suppress(OSError, ValueError, AttributeError):
            # Capturing replaces what is behind the number.
            number = os.dup(writer._file.fileno())  # noqa: SLF001 - same
            self._file = os.fdopen(number, "w", encoding=writer._file.encoding, errors="backslashreplace")  # noqa: SLF001 - same
        self._is_open = True

    def close(self) -> None:
        """End the line that was shown last, take away what is below, and let pytest write by itself."""
        if not self._is_open:
            return
        self.show_below(())
        with self.lock:
            self._is_open = False
            self._reporter._tw._file = self._pytests  # noqa: SLF001 - where it came from
            if self._unended and not self._reporter.currentfspath:
                self._write("\n")
            if self._file is not self._pytests and self._file is not None:
                self._file.close()

    def show(self, line: str) -> None:
        """Show a line between those of pytest."""
        with self.lock:
            if not self._is_open:
                return
            self._hide()
            if self._shares_lines:
                self._write(f"\n{line}\n" if self._reporter._tw.width_of_current_line else f"{line}\n")  # noqa: SLF001 - as above
                self._reporter._tw._current_line = ""  # noqa: SLF001 - as above
            else:
                # pytest begins a new line itself when it goes on, so this one is left without an end.
                self._write(f"\n{line}")
                self._unended = True
            self._reporter.currentfspath = None
            self._draw()

    def resume_line(self, report: pytest.TestReport) -> None:
        """Begin again the line that pytest puts the letter of a report into, if something was shown after it."""
        reporter = self._reporter
        if not self._is_open or not self._unended or reporter.currentfspath:
            return
        letter, word = reporter.config.hook.pytest_report_teststatus(report=report, config=reporter.config)[1:]
        if (letter or word) and not reporter.showlongtestinfo:
            if reporter.showfspath:
                reporter.write_fspath_result(report.nodeid, "")
            else:
                reporter.write("\n")
            self._unended = False

    def show_below(self, lines: Sequence[str]) -> None:
        """Show lines below the cursor in place of those that are there; each must fit into a line of the terminal."""
        with self.lock:
            if not self._is_open or tuple(lines) == self._below:
                return
            self._hide()
            self._below = tuple(lines)
            self._reporter._tw._file = _Watched(self._pytests, self) if lines else self._pytests  # noqa: SLF001 - as above
            self._draw()

    def pause(self) -> None:
        """Show nothing below the cursor until ``go_on``: somebody is debugging."""
        with self.lock:
            self._hide()
            self._pausing = True

    def go_on(self) -> None:
        """Show again what is below the cursor."""
        with self.lock:
            self._pausing = False
            self._draw()

    def pass_on(self, text: str) -> int:
        """Write what pytest writes."""
        with self.lock:
            self._hide()
            file = self._pytests
            written = file.write(text) if file is not None else 0
            if file is not None:
                file.flush()
            self._draw()
            return written

    def _hide(self) -> None:
        if self._below and not self._pausing:
            self._write(_ERASE)

    def _draw(self) -> None:
        room = self.size.lines - _LEAST_ABOVE
        lines = self._below[: max(0, room)]
        if lines and not self._pausing:
            made_room = _DOWN * len(lines) + f"\x1b[{len(lines)}A"
            self._write(made_room + _SAVE + "".join(f"\r\n{line}" for line in lines) + _RESTORE)

    def _write(self, text: str) -> None:
        # A terminal that was closed meanwhile is no reason to end a build without its clean-up.
        with contextlib.suppress(OSError, ValueError):
            if self._file is not None:
                self._file.write(text)
                self._file.flush()


class _Watched:
    """What pytest writes to while there are lines below the cursor."""

    def __init__(self, file: TextIO | None, terminal: Terminal) -> None:
        self._file = file
        self._terminal = terminal

    def write(self, text: str) -> int:
        return self._terminal.pass_on(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a file has
        return getattr(self._file, name)
