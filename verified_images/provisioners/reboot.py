"""A machine that a provisioner restarts: told from one that merely lost its connection, and waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.errors import DeadlineError, HostKeyError, MachineError
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.ssh.session import Session

_BACK_WITHIN = 600.0  # seconds
_CONNECT_WITHIN = 20.0  # seconds for one attempt
_ASK = "systemctl is-system-running 2>/dev/null"
_ANSWER_WITHIN = 20.0


def is_going_down(session: Session) -> bool:
    """Return whether the machine has begun to shut down."""
    try:
        return session.run(_ASK, timeout=_ANSWER_WITHIN).stdout.strip() == b"stopping"
    except (MachineError, DeadlineError):
        return True  # it takes no connection any more, or ends the shell that it has just begun


def come_back(session: Session, boot_id_before: str, attempt: Attempt) -> None:
    """Connect again: to the next boot when the machine restarts, else as soon as its SSH server answers.

    Raises:
        DeadlineError: that did not come about in time.
        HostKeyError: the machine came back with another host key.
    """
    attempt.context.step("the connection broke, as the template says it may; waiting for the machine")
    deadline = Deadline(f"the return of {session.address.machine!r}", attempt.remaining or _BACK_WITHIN)
    wait_for(lambda waiting: _is_back(session, boot_id_before, waiting), deadline)


def _is_back(session: Session, before: str, deadline: Deadline) -> bool | None:
    try:
        session.reconnect(max(1.0, min(_CONNECT_WITHIN, deadline.remaining)))
        is_back = session.boot_id() != before or not is_going_down(session)
    except HostKeyError:
        raise
    except MachineError as error:
        deadline.saw(str(error))
        return None
    if not is_back:
        deadline.saw("it is shutting down")
    return is_back or None
