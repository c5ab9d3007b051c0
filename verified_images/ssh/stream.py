"""One command on a channel of its own, for what carries more than text: input for a command, and tar streams."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Self

import paramiko

from verified_images.errors import MachineError
from verified_images.ssh.arrivals import STDERR, STDOUT, Arrivals
from verified_images.ssh.framing import Frame, Marks
from verified_images.ssh.quoting import encode, octal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from verified_images.ssh.link import Link
    from verified_images.waiting import Deadline

    Write = Callable[[bytes], None]
    Feed = Callable[[Write], None]

# The first line of the input is the program, the rest is the input of the program. Single quotes hold it, without
# any character that csh or fish would treat otherwise than sh.
_START = "exec %s/bin/sh -c 'IFS= read -r vi_r; eval \"$vi_r\"' sh"
_SUDO = "sudo -n -H -- "


class Stream:
    """A command that reads what ``feed`` writes, run by a channel of ``link``; leave the context to end it.

    ``feed`` runs in a thread of its own, so that a command may answer before it has read everything.
    """

    def __init__(self, link: Link, text: str, feed: Feed, *, sudo: bool) -> None:
        self.link = link
        self._marks = Marks.make()
        self._frames = {STDOUT: Frame(self._marks), STDERR: Frame(self._marks)}
        self._program = _program(encode(text), self._marks)
        self._feed = feed
        self._start = _START % (_SUDO if sudo else "")
        self._feed_error: BaseException | None = None
        self._feeder = threading.Thread(target=self._run_feed, name=f"ssh input {link.machine}", daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.link.turns)
            self._channel = self.link.take_channel()
            undo.callback(self.link.give_back, self._channel)
            self._arrivals = Arrivals(self._channel)
            try:
                self._channel.exec_command(self._start)
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise self.link.lost("a command could not be started") from error
            self._feeder.start()
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()  # which wakes the feeder, should it still write
        self._feeder.join()

    @property
    def pid(self) -> int | None:
        """The process that runs the command, as soon as it is known."""
        word = self._frames[STDOUT].opening
        return int(word) if word else None

    def output(self, deadline: Deadline | None) -> Iterator[tuple[int, bytes]]:
        """Yield the pieces of both streams until both have ended.

        Raises:
            DeadlineError: the time is up; the command still runs.
        """
        open_streams = {STDOUT, STDERR}
        while open_streams:
            arrival = self._arrivals.next(deadline.patience if deadline else None)
            if arrival is None:
                if deadline:
                    deadline.check()
                continue
            self.link.heard()
            frame = self._frames[arrival.stream]
            if not arrival.data:
                open_streams.discard(arrival.stream)
            piece = frame.feed(arrival.data) if arrival.data else frame.flush()
            if piece:
                yield arrival.stream, piece

    def exit_code(self, deadline: Deadline | None) -> int:
        """Return the exit code, after the output has ended; -1 when the command was killed by a signal.

        Raises:
            ConnectionLostError: there is none, because the connection broke.
            DeadlineError: the time is up; the command still runs, though it has closed its output.
            OSError, TarError: what ``feed`` raised, when the command itself did not fail.
        """
        code = self.link.exit_status(self._channel, deadline)
        if code == -1 and not self.link.settles():
            raise self.link.lost("a command was running")
        if self._frames[STDERR].opening is None and code == 0:
            raise MachineError(f"the user on {self.link.machine!r} has no usable shell", machine=self.link.machine)
        if code == 0 and self._feed_error is not None:
            raise self._feed_error
        return code

    def _run_feed(self) -> None:
        try:
            self._write(self._program)
            self._feed(self._write)
        except _InputLeftError:
            pass  # the command has ended; whether that was right is what its exit code tells
        except Exception as error:  # noqa: BLE001 - told by the thread that waits for the command
            self._feed_error = error
            # Not shutdown_write: the far side would take half of the input for all of it.
            self._channel.close()
        else:
            self._channel.shutdown_write()

    def _write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except OSError as error:
            raise _InputLeftError(str(error)) from error


class _InputLeftError(Exception):
    """The channel took no more input: its command had ended, or the connection had."""


def _program(text: bytes, marks: Marks) -> bytes:
    begin = marks.begin
    return (
        f"unset vi_r; printf '%s%s\\n' '{begin}' $$; printf '%s\\n' '{begin}' >&2; eval \"$(printf '{octal(text)}')\"\n"
    ).encode()
