"""When what builds do is shown: from the beginning of the run loop to the end of the last clean-up, but not to pdb."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.doing import Look, status_sender
from pytest_plugin.status import choose_status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from pytest_plugin.doing import Doing
    from pytest_plugin.terminal import Terminal


class Showing:
    """Shows what ``board`` gives on the terminal; ``tell`` shows a line about a spec."""

    def __init__(
        self,
        config: pytest.Config,
        terminal: Terminal,
        board: Callable[[], Sequence[Doing]],
        tell: Callable[[str, str], None],
    ) -> None:
        self._terminal = terminal
        status = choose_status(config, terminal, tell)
        sent = status_sender(config)
        show = sent or (status.show if status is not None else None)
        self._look = None if show is None else Look(board, show)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Begin; pytest captures nothing between items."""
        self._terminal.open()
        if self._look is not None:
            self._look.start()
        return (yield)

    def end(self) -> None:
        """Show no more."""
        if self._look is not None:
            self._look.end()
        self._terminal.close()

    # A line of pytest's is written in pieces, and nothing is to come between them.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Let pytest begin its line about an item."""
        with self._terminal.lock:
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Let pytest end its line about an item, or begin it anew if something came after it."""
        with self._terminal.lock:
            self._terminal.resume_line(report)
            return (yield)

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self._terminal.pause()

    def pytest_leave_pdb(self) -> None:
        """Take it back."""
        self._terminal.go_on()
