"""Finding the moment at which an SSH server starts to answer."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from verified_images.errors import DeadlineError, UnreachableError

if TYPE_CHECKING:
    from verified_images.ssh.address import Address
    from verified_images.ssh.reach import Reach
    from verified_images.waiting import Deadline

_EVERY = 0.25  # seconds between two probes
_SLOWER = 1.5  # times as long after each probe that was given up: a busy machine may not greet on it in time
_LONGEST_PAUSE = 1.0
_LONGEST_IF_OVERWHELMED = 8.0
_CONNECT_WITHIN = 5.0  # seconds: a booting machine drops packets rather than refuse them
_MOST_PROBES = 8  # OpenSSH starts to drop unauthenticated connections at 10 (MaxStartups in sshd_config)
_GREETING = b"SSH-"  # RFC 4253, section 4.2
_OVERWHELMED = b"Exceeded MaxStartups"[: len(_GREETING)]  # what OpenSSH says to whoever is one too many


def wait_for_greeting(address: Address, reach: Reach, deadline: Deadline) -> socket.socket:
    """Return a connection on which the SSH server has greeted; nothing has been read from it.

    A NAT in front of a booting machine may accept a connection at once and stay silent for good: so several
    short-lived connections are tried, and none is waited for long.

    Raises:
        UnreachableError: no server greeted before the deadline; says what was seen last.
        DeadlineError: the budget in force ended first.
    """
    probes = _Probes(address, reach, deadline)
    try:
        while (found := probes.look()) is None:
            deadline.check()
    except DeadlineError as error:
        if not deadline.is_over:
            raise  # it is the budget's time that was up
        raise UnreachableError(
            f"no SSH server answered at {address} within {deadline.seconds:.0f} s; last seen: {deadline.last_seen}; "
            "see the machine's serial log for how far it booted",
            machine=address.machine,
        ) from error
    finally:
        probes.close()
    return found


class _Probes:
    """The connections that have not been greeted on yet, oldest first."""

    def __init__(self, address: Address, reach: Reach, deadline: Deadline) -> None:
        self._address = address
        self._reach = reach
        self._deadline = deadline
        self._waiting: deque[socket.socket] = deque()
        self._answered = False
        self._every = _EVERY

    def look(self) -> socket.socket | None:
        """Open one more connection, then wait a moment for a greeting on any."""
        started = time.monotonic()
        self._open()
        pause = min(self._every, self._deadline.remaining)
        if self._waiting:
            for probe in select.select(list(self._waiting), [], [], pause)[0]:
                self._waiting.remove(probe)
                if self._greeted(probe):
                    return probe
                probe.close()
        left = pause - (time.monotonic() - started)
        if left > 0:
            self._deadline.sleep(left)
        return None

    def close(self) -> None:
        for probe in self._waiting:
            probe.close()

    def _open(self) -> None:
        if len(self._waiting) == _MOST_PROBES:
            self._waiting.popleft().close()
            self._slow_down(_LONGEST_PAUSE)
        within = max(0.1, min(_CONNECT_WITHIN, self._deadline.remaining))
        try:
            self._waiting.append(self._reach(self._address.host, self._address.port, within))
        except OSError as error:
            self._deadline.saw(str(error) or type(error).__name__)
        else:
            if not self._answered:
                self._deadline.saw("the connection was accepted, but no SSH server greeted")

    def _slow_down(self, longest: float) -> None:
        self._every = max(self._every, min(_SLOWER * self._every, longest))

    def _greeted(self, probe: socket.socket) -> bool:
        """Look without taking: the handshake reads the greeting again."""
        with contextlib.suppress(OSError):
            greeting = probe.recv(len(_GREETING), socket.MSG_PEEK)
            if greeting.startswith(_GREETING):
                return True
            self._answered = True
            if greeting == _OVERWHELMED:
                self._slow_down(_LONGEST_IF_OVERWHELMED)
            self._deadline.saw(f"something that is no SSH server said {greeting!r}" if greeting else "it hung up")
        return False
