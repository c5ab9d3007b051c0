"""The status of a session: on a terminal, lines below pytest's own that say what each spec is doing; else plain lines.

Where somebody watches it is one line a spec, gone at the end. Where nobody does (a file, CI) it is a line when a stage
begins, and one every minute, so that a log shows where the time goes and nobody ends a build for being silent.
"""

from __future__ import annotations

import os
import re
import time
from io import StringIO
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_plugin.doing import Doing
    from pytest_plugin.terminal import Terminal

SECONDS_BETWEEN_SIGNS_OF_LIFE = 60.0
SHOWN_AT_MOST = 8
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
_QUIET = -1
_MINUTE = 60
_INDENT = (0, 0, 0, 4)


class Status(Protocol):
    """Something that shows what is being done."""

    def show(self, doing: Sequence[Doing]) -> None:
        """Show it; called every half a second, from one thread."""


def is_watched(config: pytest.Config) -> bool:
    """Tell whether somebody watches the terminal: there is one, and it is none of CI's."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return (
        reporter is not None and bool(reporter.isatty) and not (os.environ.get("CI") or os.environ.get("BUILD_NUMBER"))
    )


def is_uncaptured(config: pytest.Config) -> bool:
    """Tell whether what tests write goes to the terminal."""
    return bool(config.getoption("capture", default="no") == "no")


def choose_status(config: pytest.Config, terminal: Terminal, tell: Callable[[str, str], None]) -> Status | None:
    """Choose how to show what is being done; ``tell`` shows a line about a spec. None: not at all."""
    verbosity = config.get_verbosity()
    runs_nothing = config.getoption("collectonly") or config.getoption("setuponly", default=False)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or runs_nothing or verbosity < _QUIET:
        return None
    if is_watched(config):
        # With -s the terminal belongs to the tests.
        if is_uncaptured(config) or os.environ.get("TERM") in (None, "", "dumb"):
            return None
        return LinesBelow(terminal, has_colour=reporter.hasmarkup)
    if verbosity <= _QUIET:
        return None
    # Where every step is shown, a stage need not be announced.
    return PlainLines(tell, with_beginnings=not is_uncaptured(config) and verbosity == 0)


class LinesBelow:
    """Shows a line a spec below those of pytest."""

    def __init__(self, terminal: Terminal, *, has_colour: bool) -> None:
        self._terminal = terminal
        self._has_colour = has_colour

    def show(self, doing: Sequence[Doing]) -> None:
        """Show it in place of what was shown before."""
        self._terminal.show_below(render(doing, self._terminal.size.columns - 1, has_colour=self._has_colour))


class PlainLines:
    """Shows a line when a stage begins, unless told not to, and one a minute while it goes on."""

    def __init__(
        self,
        tell: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        with_beginnings: bool = True,
    ) -> None:
        self._tell = tell
        self._with_beginnings = with_beginnings
        self._clock = clock
        self._told: dict[str, tuple[str, float]] = {}

    def show(self, doing: Sequence[Doing]) -> None:
        """Show what is new."""
        now = self._clock()
        for each in doing:
            stage, at = self._told.get(each.spec, ("", 0.0))
            if each.stage != stage:
                self._told[each.spec] = (each.stage, now)
                if each.stage and self._with_beginnings:
                    self._tell(each.spec, f"{each.stage} has begun")
            elif each.stage and now - at >= SECONDS_BETWEEN_SIGNS_OF_LIFE:
                self._told[each.spec] = (each.stage, now)
                told = f": {_clean(each.told)}" if each.told else ""
                self._tell(each.spec, f"{each.stage} goes on for {each.seconds / _MINUTE:.0f} min{told}")


def render(doing: Sequence[Doing], width: int, *, has_colour: bool) -> list[str]:
    """Give the lines that say what is being done, none of them wider than ``width`` columns."""
    if not doing:
        return []
    from rich.console import Console  # noqa: PLC0415 - only runs with specs at a terminal pay for it
    from rich.padding import Padding  # noqa: PLC0415 - same
    from rich.table import Table  # noqa: PLC0415 - same
    from rich.text import Text  # noqa: PLC0415 - same

    busy = [each for each in doing if each.stage]
    others = _count_others(len(busy) - SHOWN_AT_MOST, len(doing) - len(busy))
    table = Table.grid(padding=(0, 2))
    for style in ("bold", "cyan", ""):
        table.add_column(style=style, no_wrap=True, overflow="ellipsis")
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    for each in busy[:SHOWN_AT_MOST]:
        minutes, seconds = divmod(int(each.seconds), _MINUTE)
        table.add_row(*(Text(text) for text in (each.spec, each.stage, f"{minutes}:{seconds:02}", _clean(each.told))))
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=has_colour,
        color_system="standard" if has_colour else None,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(Padding(table, _INDENT))
        console.print(Padding(Text(others, style="dim", no_wrap=True, overflow="ellipsis"), _INDENT))
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def _count_others(more: int, waiting: int) -> str:
    parts = [f"{more} more at work"] if more > 0 else []
    parts += [f"{waiting} waiting until others are done (--vi-jobs)"] if waiting else []
    return ", ".join(parts)


def _clean(text: str) -> str:
    """Take from a text what would move the cursor."""
    return _CONTROL.sub("", text).strip()
