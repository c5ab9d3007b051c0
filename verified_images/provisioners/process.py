"""A program that runs here, where the run is: its output is shown live, and it ends when its time is up."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from verified_images.provisioners.attempt import AttemptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

    from verified_images.waiting import Deadline

_LOOK_EVERY = 0.2  # seconds
_ENDED_WITHIN = 5.0  # seconds between asking a program to end and ending it
_PIECE = 1 << 16


class Watcher(Protocol):
    """Whoever runs a program: shows its output, and may set it a time."""

    @property
    def deadline(self) -> Deadline | None:
        """When it must have ended; None for as long as it likes."""

    def show(self, text: str) -> None:
        """Take its live output."""


def run_here(watcher: Watcher, command: Sequence[str], env: Mapping[str, str], folder: Path) -> int:
    """Run ``command`` in ``folder`` with ``env`` added to the environment; return its exit code.

    It reads nothing from standard input. When the time is up or the run is interrupted, it is ended with what it
    started.

    Raises:
        AttemptError: there is no such program.
        DeadlineError: the provisioner's time is up.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise AttemptError(f": {command[0]!r} cannot be run here: {error.strerror}") from error
    try:
        if process.stdout is not None:
            _show(watcher, process, process.stdout)
        return process.wait()
    finally:
        _end(process)


def _show(watcher: Watcher, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """Show the output until the program ends, though something that it started may hold the output open."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with output, selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            if selector.select(0 if ended else _LOOK_EVERY):
                data = os.read(output.fileno(), _PIECE)
                watcher.show(decoder.decode(data, final=not data))
                if not data:
                    break
            elif ended:
                watcher.show(decoder.decode(b"", final=True))
                break
            if watcher.deadline is not None:
                watcher.deadline.check()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, also what has left its process group, as Ansible's workers do."""
    if process.poll() is not None:
        return
    everything = [process.pid, *_descendants(process.pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in everything:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDED_WITHIN)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # one that has just ended
            # The name before the parent's id is in parentheses and may hold anything.
            parent = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found[1:]
