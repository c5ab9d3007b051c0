"""A command of a provisioner on the machine: how it may end, and a restart of the machine while it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verified_images.errors import ConnectionLostError
from verified_images.provisioners.attempt import AttemptError
from verified_images.provisioners.reboot import come_back, is_going_down

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verified_images.provisioners.attempt import Attempt
    from verified_images.ssh.session import CommandResult

_KILLED = 128  # and above: a signal ended it
_MOST_RESTARTS = 10


@dataclass(frozen=True, slots=True)
class MachineCommand:
    """A command: its ``name`` in messages, its text, and what ends of it are accepted."""

    name: str
    text: str
    sudo: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    valid_exit_codes: Sequence[int] = (0,)
    expect_disconnect: bool = False


def run_command(attempt: Attempt, command: MachineCommand) -> bool:
    """Run the command with live output; return whether it restarted the machine, which is back then.

    Raises:
        AttemptError: it ended with an exit code that was not expected, or lost the connection.
        DeadlineError: the provisioner's time is up.
    """
    session = attempt.context.session
    before = session.boot_id() if command.expect_disconnect else ""
    try:
        result = session.run(
            command.text,
            sudo=command.sudo,
            env=command.env,
            timeout=attempt.remaining,
            output=attempt.show,
            keep=0,
            name=command.name,
        )
    except ConnectionLostError as error:
        if not command.expect_disconnect:
            raise AttemptError(
                f": {error}, while {command.name!r} ran; if it restarts the machine, say 'expect_disconnect: true'"
            ) from error
        come_back(session, before, attempt)
        return True
    return _judge(command, result, attempt, before)


def _judge(command: MachineCommand, result: CommandResult, attempt: Attempt, before: str) -> bool:
    """Accept or refuse the way in which a command ended; return whether the machine was restarted."""
    accepted = result.exit_code in command.valid_exit_codes
    session = attempt.context.session
    # A restart ends the command too, and may do so before the connection breaks.
    may_restart = command.expect_disconnect and (accepted or result.exit_code >= _KILLED)
    if may_restart and is_going_down(session):
        come_back(session, before, attempt)
        return True
    if not accepted:
        raise AttemptError(f" with exit code {result.exit_code} of {command.name!r}", result.exit_code)
    return False


def converge(action: Callable[[], bool]) -> None:
    """Repeat an action until it ends without having restarted the machine, which it tells of by returning True.

    Raises:
        AttemptError: it restarts the machine each time.
    """
    for _ in range(_MOST_RESTARTS):
        if not action():
            return
    raise AttemptError(f": it restarted the machine {_MOST_RESTARTS} times and has still not come to its end")


def fill_in(command: str, words: Mapping[str, str]) -> str:
    """Return a command of a template with ``words``, which are quoted already, for their names in braces."""
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), command)
