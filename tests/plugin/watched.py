"""Runs of pytest at a terminal, as somebody sees them who sits there."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte

from tests.plugin.conftest import OTHERS, PLUGIN
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LINES, COLUMNS = 40, 100
PATIENCE = 120.0
CLOUD = ("--vi-cloud=azure", "--vi-subscription=1")
"""The cloud is named azure so that no local one is started; a conftest.py replaces it."""


def command(*arguments: str) -> list[str]:
    """Give the command of a run of pytest with a cloud of its own."""
    return [sys.executable, "-m", "pytest", *PLUGIN, *OTHERS, *CLOUD, *arguments]


def surroundings(**variables: str) -> dict[str, str]:
    """Give an environment that is not CI's, whatever this one is."""
    left_out = {"CI", "BUILD_NUMBER", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "PYTEST_ADDOPTS"}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


class Watched:
    """A run of pytest at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.raw = b""
        self._screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self._arguments = arguments
        self._environment = surroundings(**{"TERM": "xterm-256color", **variables})

    def __enter__(self) -> Self:
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command(*self._arguments),
            cwd=self.folder,
            env=self._environment,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    @property
    def screen(self) -> list[str]:
        """The lines of the screen, without those at its end that are empty."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().splitlines()

    @property
    def line(self) -> str:
        """The line that the cursor is in, up to the cursor."""
        return str(self._screen.display[self._screen.cursor.y])[: self._screen.cursor.x]

    @property
    def told(self) -> str:
        """Everything that is to be read when one scrolls back."""
        gone = ("".join(line[column].data for column in range(COLUMNS)).rstrip() for line in self._screen.history.top)
        return "\n".join([*gone, *self.screen])

    def see(self, condition: Callable[[Watched], bool], what: str) -> None:
        """Watch until something is to be seen."""
        deadline = Deadline(what, PATIENCE)
        while not condition(self):
            deadline.saw(self.told)
            deadline.check()
            self._watch()

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Watch until it has ended, and give its exit code."""
        deadline = Deadline("the end of pytest", PATIENCE)
        while self._watch():
            deadline.saw(self.told)
            deadline.check()
        return self._process.wait(PATIENCE)

    def _watch(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._terminal, selectors.EVENT_READ)
            if not selector.select(0.2):
                return True
        try:
            some = os.read(self._terminal, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.raw += some
        self._stream.feed(some)
        return bool(some)
