"""Joining an SSH channel with a process of the guest: pipes or a terminal for a command, a relay for a tunnel."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import selectors
import struct
import subprocess
import termios
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal that a client asked for; sizes in characters."""

    kind: str
    width: int
    height: int


class Start(Protocol):
    """Starts the process of a channel with these descriptors."""

    def __call__(self, *, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        """Start it."""


def join_pipes(channel: paramiko.Channel, start: Start) -> None:
    """Run a process with its three streams on the channel, and tell its exit code at the end.

    As with OpenSSH the channel ends when nobody holds the process' output any more, and a client that leaves takes the
    pipes away, not the process.
    """
    process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - they were opened as pipes
    _feed(channel, process.stdin.fileno(), process.stdin.close)
    try:
        with process.stdout as stdout, process.stderr as stderr, selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ, channel.sendall)
            selector.register(stderr, selectors.EVENT_READ, channel.sendall_stderr)
            with contextlib.suppress(OSError):
                while selector.get_map():
                    for key, _ in selector.select():
                        if data := os.read(key.fd, _CHUNK):
                            key.data(data)
                        else:
                            selector.unregister(key.fileobj)
    finally:
        _finish(channel, process)


def join_terminal(channel: paramiko.Channel, start: Start, terminal: Terminal) -> None:
    """Run a process on a terminal whose other side is the channel."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", terminal.height, terminal.width, 0, 0))
    try:
        process = start(stdin=theirs, stdout=theirs, stderr=theirs)
    finally:
        os.close(theirs)
    _feed(channel, os.dup(ours))
    # A terminal whose last process is gone gives an error and not an end.
    with contextlib.suppress(OSError):
        while data := os.read(ours, _CHUNK):
            channel.sendall(data)
    os.close(ours)
    _finish(channel, process)


def join_relay(channel: paramiko.Channel, start: Start) -> None:
    """Run a process that relays between its standard streams and a service."""
    process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin and process.stdout  # noqa: S101, PT018 - they were opened as pipes
    _feed(channel, process.stdin.fileno(), process.stdin.close)
    with process.stdout as stdout, contextlib.suppress(OSError):
        while data := os.read(stdout.fileno(), _CHUNK):
            channel.sendall(data)
    channel.close()
    process.wait()


def _feed(channel: paramiko.Channel, descriptor: int, close: Callable[[], None] | None = None) -> None:
    def feed() -> None:
        with contextlib.suppress(OSError):
            while data := channel.recv(_CHUNK):
                while data:
                    data = data[os.write(descriptor, data) :]
        with contextlib.suppress(OSError):
            if close:
                close()
            else:
                os.close(descriptor)

    threading.Thread(target=feed, name="fake-ssh-stdin", daemon=True).start()


def _finish(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    code = process.wait()
    with contextlib.suppress(OSError, EOFError):
        # A process that a signal ended has no exit code; clients are told none.
        if code >= 0:
            channel.send_exit_status(code)
    channel.close()
