"""A shell that stays open on one channel, so that a command costs one round trip.

Each command runs in a process, and a session, of its own: it cannot harm the shell with ``exit``, ``exec``, ``set -e``
or unbalanced quotes, and a leftover of it can be told from the next command. Its text travels through pipes from the
channel to the process that runs it, never as an argument, since arguments can be read by everyone on the machine.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from verified_images.errors import MachineError
from verified_images.ssh.arrivals import STDERR, STDOUT, Arrivals
from verified_images.ssh.framing import Frame, Marks
from verified_images.ssh.quoting import encode, quote
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.ssh.link import Link
    from verified_images.ssh.output import Collector

_OPEN_WITHIN = 90.0  # seconds, after which a connection that is silent has been found out
KILLED_SHELL = 255  # what OpenSSH's client reports when the far side ended without an exit code

# `exec`, because a login shell may be one that is no POSIX shell. Its own stderr goes nowhere: it would report
# killed children there, with their text.
_START = "exec /bin/sh"
_HELLO = (
    "exec 4>&2 2>/dev/null; vi_s=; command -v setsid >/dev/null && vi_s=setsid; "
    "read -r vi_b </proc/sys/kernel/random/boot_id; "
    "printf '%s%s %s %s\\n' '{begin}' $$ \"$(id -u)\" \"$vi_b\"; printf '%s\\n' '{begin}' >&4\n"
)
# Closing 3 is the first thing that the text itself does: no program that it starts inherits its own source.
_SOURCE = b"exec 3<&-; "
_READ_SOURCE = "/bin/sh -c 'exec 3<&0 </dev/null; . /dev/fd/3' sh"
_RUN = (
    b"%(busy)sprintf %%s %(text)s | { read -r vi_p vi_r </proc/self/stat; printf '%%s%%s\\n' '%(begin)s' \"$vi_p\"; "
    b"printf '%%s\\n' '%(begin)s' >&4; exec $vi_s %(runner)s 2>&4 4>&-; }; vi_c=$?; "
    b"printf '%%s%%s\\n' '%(end)s' $vi_c; printf '%%s\\n' '%(end)s' >&4%(done)s\n"
)
_SUDO = "sudo -n -H -- "
_IF_BUSY = b"if kill -0 -%(leader)s; then "
# What root runs cannot be signalled by others, but the refusal tells that it is there.
_IF_BUSY_ROOT = (
    b"if case $(LC_ALL=C; export LC_ALL; kill -0 -%(leader)s 2>&1 && echo permitted) in "
    b"*ermitted*) ;; *) false;; esac; then "
)
_BUSY = b"printf '%%s-\n%%s\n' '%(begin)s' '%(end)s'; printf '%%s-\n%%s\n' '%(begin)s' '%(end)s' >&4; else "


class ShellBusyError(Exception):
    """Something that an earlier command started may still write to this shell's streams; nothing was run."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a fresh shell says of itself and its machine."""

    pid: int
    is_root: bool
    boot_id: str


class Shell:
    """A POSIX shell on a channel of ``link``; for one thread at a time.

    Raises:
        ConnectionLostError: the connection broke while it was opened.
        DeadlineError: the shell did not come about in time.
        MachineError: the login shell of the user gave no shell.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._channel = link.take_channel()
        self._leader: str | None = None
        self._leader_is_root = False
        self.noisy = False  # something else writes to its streams: not to be used again
        try:
            self._arrivals = Arrivals(self._channel)
            self.hello = self._open()
        except BaseException:
            self.close()
            raise

    def run(self, text: str, collector: Collector, deadline: Deadline | None, *, sudo: bool) -> int:
        """Run ``text``, hand what it prints to ``collector``, and return its exit code.

        Raises:
            ShellBusyError: the shell must not be used again, but kept until its leftovers end.
            ConnectionLostError: the connection broke.
            DeadlineError: the time is up; the command still runs.
            ValueError: the text holds a NUL.
        """
        marks = Marks.make()
        as_root = sudo and not self.hello.is_root
        self._send(self._request(encode(text), marks, sudo=as_root))
        frames = {STDOUT: Frame(marks), STDERR: Frame(marks)}
        while any(frame.closing is None for frame in frames.values()):
            stream, data = self._next(deadline)
            if not data:
                return self._ended(frames, collector, deadline)
            collector.add(stream, frames[stream].feed(data))
        self._leader_is_root = as_root
        return self._finished(frames)

    def discard(self) -> None:
        """Drop what came since the last command, so that whoever writes it is not held up."""
        self._arrivals.discard()

    def close(self) -> None:
        """Close the channel."""
        self.link.give_back(self._channel)

    def _open(self) -> Hello:
        marks = Marks.make()
        frames = {STDOUT: Frame(marks), STDERR: Frame(marks)}
        with self._lost_when_broken():
            self._channel.exec_command(_START)
        self._send(_HELLO.format(begin=marks.begin).encode())
        within = Deadline(f"a shell on {self.link.machine!r}", _OPEN_WITHIN)
        while any(frame.opening is None for frame in frames.values()):
            stream, data = self._next(within)
            if not data and not self.link.settles():
                raise self.link.lost("a shell was being opened")
            if not data:
                raise MachineError(
                    f"the login shell of the user on {self.link.machine!r} ended at once: give the user a shell",
                    machine=self.link.machine,
                )
            frames[stream].feed(data)
        pid, uid, *boot_id = (frames[STDOUT].opening or "").split()
        return Hello(int(pid), uid == "0", "".join(boot_id))

    def _request(self, text: bytes, marks: Marks, *, sudo: bool) -> bytes:
        values = {b"begin": marks.begin.encode(), b"end": marks.end.encode()}
        busy = done = b""
        if self._leader:
            question = _IF_BUSY_ROOT if self._leader_is_root else _IF_BUSY
            busy = question % {b"leader": self._leader.encode()} + _BUSY % values
            done = b"; fi"
        runner = ((_SUDO if sudo else "") + _READ_SOURCE).encode()
        return _RUN % {**values, b"busy": busy, b"text": quote(_SOURCE + text), b"runner": runner, b"done": done}

    def _finished(self, frames: dict[int, Frame]) -> int:
        leader, code = frames[STDOUT].opening or "", frames[STDOUT].closing
        if leader == "-":
            raise ShellBusyError
        self._leader = leader if leader.isdigit() else None
        self.noisy = any(frame.before for frame in frames.values())
        return int(code or KILLED_SHELL)

    def _ended(self, frames: dict[int, Frame], collector: Collector, deadline: Deadline | None) -> int:
        """The shell is gone: with the connection, or killed by the command."""
        self._channel.close()
        while (arrival := self._arrivals.next(0)) is not None:
            collector.add(arrival.stream, frames[arrival.stream].feed(arrival.data))
        for stream, frame in frames.items():
            collector.add(stream, frame.flush())
        if not self.link.settles():
            raise self.link.lost("a command was running")
        code = self.link.exit_status(self._channel, deadline)
        return code if code > 0 else KILLED_SHELL

    @property
    def usable(self) -> bool:
        """Whether another command can be run on it."""
        return not self._channel.closed and self.link.alive and not self.noisy

    def _send(self, data: bytes) -> None:
        with self._lost_when_broken():
            self._channel.sendall(data)

    def _next(self, deadline: Deadline | None) -> tuple[int, bytes]:
        while True:
            arrival = self._arrivals.next(deadline.patience if deadline else None)
            if arrival is not None:
                self.link.heard()
                return arrival
            if deadline:
                deadline.check()

    @contextlib.contextmanager
    def _lost_when_broken(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.link.lost("a command could not be sent") from error
