"""One authenticated connection: opens channels, and notices when the far side is gone."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import paramiko

from verified_images.errors import ConnectionLostError
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

_ASK_EVERY = 15.0  # seconds between two questions whether the far side is there
_ANSWER_WITHIN = 60.0  # seconds without an answer, and without anything else coming, after which it is not
# OpenSSH allows 10 sessions a connection (MaxSessions in sshd_config): these run commands at once, two more may belong
# to programs in the background, and one is for ending a command whose time is up.
_MOST_AT_ONCE = 6
_MOST_CHANNELS = 9
_OPEN_WITHIN = 60.0
_WINDOW = 16 * 1024 * 1024  # bytes that may be under way to us: 16 MiB carry 300 MB/s over 50 ms
_TICK = 1.0
_SETTLED_WITHIN = 0.5


class Link:
    """A transport that has logged in to ``machine``.

    Who runs something holds one of the ``turns`` meanwhile; ``make_room`` closes channels that wait for later use.
    """

    def __init__(self, transport: paramiko.Transport, machine: str) -> None:
        self.machine = machine
        self.transport = transport
        self._lock = threading.Lock()
        self._taken: set[paramiko.Channel] = set()
        self.turns = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self.make_room: Callable[[], None] = lambda: None
        self._closing = threading.Event()
        self._heard_at = time.monotonic()
        self._keepalive = threading.Thread(target=self._keep_alive, name=f"ssh keepalive {machine}", daemon=True)
        self._keepalive.start()

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self.transport.is_active() and not self._closing.is_set()

    def take_channel(self) -> paramiko.Channel:
        """Open a session channel, which the caller gives back; the ones that are kept for later make room.

        Raises:
            ConnectionLostError: the connection is gone, or the machine refused the channel.
            DeadlineError: the budget in force ended first.
        """
        if len(self._taken) >= _MOST_CHANNELS:
            self.make_room()
        within = Deadline(f"a channel to {self.machine!r}", _OPEN_WITHIN)
        try:
            channel = self.transport.open_session(window_size=_WINDOW, timeout=max(_TICK, within.remaining))
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not within.is_over:
                within.check()  # it is the budget's time that was up
            raise self.lost("no channel could be opened") from error
        with self._lock:
            self._taken.add(channel)
        return channel

    def give_back(self, channel: paramiko.Channel) -> None:
        """Close a channel that was taken; a second time does nothing."""
        channel.close()
        with self._lock:
            self._taken.discard(channel)

    def exit_status(self, channel: paramiko.Channel, deadline: Deadline | None) -> int:
        """Wait for the exit code of a channel's command and return it; -1 where there is none.

        Raises:
            DeadlineError: the time is up first.
        """
        while not channel.status_event.wait(deadline.patience if deadline else _TICK):
            if deadline:
                deadline.check()
        return channel.recv_exit_status()

    def lost(self, what: str) -> ConnectionLostError:
        """Return the error that says so, with the reason where one is known."""
        reason = self.transport.get_exception()
        why = f": {reason}" if str(reason or "") else ""
        return ConnectionLostError(f"the SSH connection to {self.machine!r} broke: {what}{why}", machine=self.machine)

    def settles(self) -> bool:
        """Return whether the connection stands, once it had the time to show that it does not."""
        self.transport.join(_SETTLED_WITHIN)
        return self.alive

    def heard(self) -> None:
        """Note that something came, which is as good as an answer to a keepalive."""
        self._heard_at = time.monotonic()

    def close(self) -> None:
        """End the connection and its threads."""
        self._closing.set()
        self.transport.close()
        self._keepalive.join()

    def _keep_alive(self) -> None:
        while not self._closing.wait(_ASK_EVERY) and self.transport.is_active():
            self.heard()
            question = threading.Thread(target=self._ask, name=f"ssh keepalive {self.machine}", daemon=True)
            question.start()
            while question.is_alive():
                question.join(_TICK)
                if time.monotonic() - self._heard_at > _ANSWER_WITHIN:
                    self.transport.close()  # wakes whoever waits on one of its channels

    def _ask(self) -> None:
        # With a reply asked for, unlike paramiko's own keepalive: through a proxy, and from a machine that hangs,
        # nothing else tells that the far side is gone.
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            self.transport.global_request("keepalive@openssh.com", wait=True)
