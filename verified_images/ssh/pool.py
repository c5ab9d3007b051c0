"""The open shells of one connection: each serves one command at a time."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING

from verified_images.errors import DeadlineError, MachineError
from verified_images.masking import Masker
from verified_images.ssh.killing import kill_tree
from verified_images.ssh.output import Collector
from verified_images.ssh.shell import Shell, ShellBusyError
from verified_images.waiting import Budget, Deadline, within

if TYPE_CHECKING:
    from verified_images.ssh.link import Link
    from verified_images.ssh.shell import Hello

_MOST_PARKED = 2
_KILLED_WITHIN = 15.0  # seconds


class ShellPool:
    """Shells of ``link`` that wait for a command, opened as they are needed."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._idle: list[Shell] = []
        self._parked: deque[Shell] = deque()
        link.make_room = self._close_idle

    def run(self, text: str, collector: Collector, deadline: Deadline | None, *, sudo: bool) -> int:
        """Run a command on a shell that is its own meanwhile; a command whose time is up is ended. See Shell.run."""
        with self._link.turns:
            while (code := self._try(text, collector, deadline, sudo=sudo)) is None:
                pass  # the next shell is a fresh one, or as good
            return code

    def _try(self, text: str, collector: Collector, deadline: Deadline | None, *, sudo: bool) -> int | None:
        """Run a command and return its exit code; None when the shell had to be put aside first."""
        shell = self._take()
        try:
            code = shell.run(text, collector, deadline, sudo=sudo)
        except ShellBusyError:
            self._park(shell)
            return None
        except DeadlineError:
            kill(self._link, shell.hello.pid, sudo=sudo)
            shell.close()
            raise
        except BaseException:
            shell.close()
            raise
        self._put(shell)
        return code

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for shell in idle:
            shell.close()

    def _take(self) -> Shell:
        with self._lock:
            for parked in self._parked:
                parked.discard()
            while self._idle:
                shell = self._idle.pop()
                if shell.usable:
                    return shell
                shell.close()
        return Shell(self._link)

    def _put(self, shell: Shell) -> None:
        if shell.noisy:
            self._park(shell)
        elif shell.usable:
            with self._lock:
                self._idle.append(shell)
        else:
            shell.close()

    def _park(self, shell: Shell) -> None:
        """Keep a shell open, but unused: a program in the background would die of its next output without it."""
        with self._lock:
            self._parked.append(shell)
            oldest = self._parked.popleft() if len(self._parked) > _MOST_PARKED else None
        if oldest is not None:
            oldest.close()

    def hello(self) -> Hello:
        """Return what a shell said of the machine when it started."""
        shell = self._take()
        self._put(shell)
        return shell.hello


def kill(link: Link, pid: int, *, sudo: bool) -> None:
    """End a command whose time is up; as well as can be, since the machine may be in a bad way."""
    nothing = Collector(Masker())
    # A budget of its own: the one in force may be what is up.
    with contextlib.suppress(MachineError, DeadlineError), within(Budget("the end of a command", _KILLED_WITHIN)):
        shell = Shell(link)
        try:
            shell.run(kill_tree(pid), nothing, Deadline("the end of a command", _KILLED_WITHIN), sudo=sudo)
        finally:
            shell.close()
