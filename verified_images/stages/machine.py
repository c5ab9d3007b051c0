"""A machine that runs: known by the host keys that Azure tells of, logged into, and done with its first boot."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.errors import CloudError, DeadlineError, HostKeyError, MachineError, UnreachableError
from verified_images.ssh.address import Address
from verified_images.ssh.host_keys import read_host_keys, read_serial_log
from verified_images.ssh.session import Session
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.ssh.keys import RunKey
    from verified_images.stages.context import BuildContext

SERIAL_LOG_SECONDS = 4 * 60.0
"""How long the serial log may take to show the host keys; Azure copies it with a delay of a minute or two."""

PACKAGE_LOCK_SECONDS = 10 * 60.0
"""How long the system's own updates may hold the package database after the first boot."""

CHECK_SECONDS = 60.0
"""After how long ARM is asked whether a machine that may be taken back is still there."""

_READ_HOST_KEYS = ["cat /etc/ssh/ssh_host_*_key.pub"]
_FINISHED, _DEGRADED = 0, 2
# cloud-init: "status --wait" ends with 0 when done, 1 after an error, 2 after a recoverable one.
_WAIT_FOR_CLOUD_INIT = "command -v cloud-init >/dev/null 2>&1 || exit 0; exec cloud-init status --wait --long"
# dpkg and apt lock by fcntl, which leaves nothing but a line in /proc/locks; fuser is not everywhere.
_FIND_PACKAGE_LOCK = """\
for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
  inode=$(stat -c %i "$file" 2>/dev/null) || continue
  if grep -q ":$inode " /proc/locks; then echo "$file"; exit 1; fi
done"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that booted, finished its cloud-init and is logged into.

    ``id`` is its ARM id, ``host_name`` what it calls itself, ``private_address`` its own address in the build's
    network, ``session`` the one SSH session to it (its host keys are those that Azure told of).
    """

    id: str
    name: str
    host_name: str
    private_address: str
    session: Session


@dataclass(frozen=True, slots=True)
class Guest:
    """A machine as ARM speaks of it: what can be learned about it without SSH.

    ``check``, where there is one, raises as soon as it is in vain to wait for the machine.
    """

    id: str
    name: str
    read_serial_log: Callable[[], str]
    run_command: Callable[[list[str]], str]
    check: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """Where a machine's SSH server is reached, as whom, with which key."""

    host: str
    port: int
    username: str
    key: RunKey


def log_in(
    context: BuildContext, guest: Guest, door: Door, deadline: Deadline, *, host_keys: tuple[str, ...] = ()
) -> Session:
    """Return a session to the machine, whose first boot is over; its ``host_keys`` are learned unless they are given.

    Raises:
        HostKeyError, UnreachableError, LoginError: it could not be had before the deadline.
        MachineError: cloud-init failed.
    """
    host_keys = host_keys or learn_host_keys(context, guest, deadline)
    address = Address(guest.name, door.host, door.port, door.username, host_keys)
    session = _connect(context, guest, address, door.key, deadline)
    context.sessions.append(session)
    context.output.step(f"logged into '{guest.name}'")
    wait_for_first_boot(context, session, guest.name, deadline)
    return session


def _connect(context: BuildContext, guest: Guest, address: Address, key: RunKey, deadline: Deadline) -> Session:
    while True:
        patience = deadline.own_remaining if guest.check is None else min(CHECK_SECONDS, deadline.own_remaining)
        try:
            return Session.connect(address, key, context.arm.connection.reach, timeout=patience, masker=context.masker)
        except UnreachableError:
            if guest.check is not None:
                guest.check()
            if deadline.own_remaining <= 0 or guest.check is None:
                raise


def learn_host_keys(context: BuildContext, guest: Guest, deadline: Deadline) -> tuple[str, ...]:
    """Return the machine's host keys, as public key lines, from its serial log or else from its agent.

    Raises:
        HostKeyError: Azure could not tell; the machine is not trusted without.
    """
    patience = Deadline(
        f"the host keys in the serial log of '{guest.name}'", min(SERIAL_LOG_SECONDS, deadline.remaining)
    )
    look = functools.partial(_look_for_host_keys, guest)
    try:
        return wait_for(look, patience, every=context.arm.connection.polling_interval)
    except (DeadlineError, CloudError) as error:
        context.output.step(f"{error}; asking the agent of '{guest.name}'")
    try:
        keys = tuple(map(str, read_host_keys(guest.run_command(_READ_HOST_KEYS))))
    except (DeadlineError, CloudError) as error:
        raise HostKeyError(
            f"the host keys of '{guest.name}' cannot be learned from its serial log, nor from its agent: {error}",
            machine=guest.name,
        ) from error
    if not keys:
        raise HostKeyError(f"'{guest.name}' has no host keys, says its agent", machine=guest.name)
    return keys


def wait_for_first_boot(context: BuildContext, session: Session, name: str, deadline: Deadline) -> None:
    """Wait until cloud-init is done and nothing holds the package database any more."""
    result = session.ask(_WAIT_FOR_CLOUD_INIT, timeout=deadline.remaining)
    if result.exit_code not in {_FINISHED, _DEGRADED}:
        told = (result.stdout + result.stderr).decode(errors="replace").strip()
        raise MachineError(f"cloud-init failed on '{name}': {told[-2000:]}", machine=name)
    if result.exit_code == _DEGRADED:
        context.output.step(f"cloud-init of '{name}' is done, with recoverable errors")
    locks = Deadline(f"the release of the package database on '{name}'", PACKAGE_LOCK_SECONDS)
    wait_for(functools.partial(_look_for_package_lock, session), locks, every=1.0)


def _look_for_host_keys(guest: Guest, deadline: Deadline) -> tuple[str, ...] | None:
    log = guest.read_serial_log()
    deadline.saw(log.rstrip()[-200:] or "an empty log")
    return tuple(map(str, read_serial_log(log))) or None


def _look_for_package_lock(session: Session, deadline: Deadline) -> bool | None:
    result = session.ask(_FIND_PACKAGE_LOCK, timeout=60.0)
    deadline.saw(result.stdout.decode(errors="replace").strip())
    return True if result.exit_code == 0 else None
