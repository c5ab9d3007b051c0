"""The ``breakpoint`` provisioner: a wait for somebody at the terminal."""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
from typing import TYPE_CHECKING

from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.breakpoint import BreakpointProvisioner

_TERMINAL = "/dev/tty"
_LOOK_EVERY = 1.0  # seconds


def wait_for_somebody(provisioner: BreakpointProvisioner, attempt: Attempt) -> None:
    """Show the note and wait for the Enter key; go on at once in CI and where there is no terminal.

    Raises:
        DeadlineError: the provisioner's time is up.
    """
    context = attempt.context
    note = context.masker(reveal(provisioner.note))
    reason = _reason_to_go_on(provisioner)
    if reason is not None:
        context.step(f"no stop at this breakpoint{f' ({note})' if note else ''}: {reason}")
        return
    context.step(f"stopped at a breakpoint{f': {note}' if note else ''}")
    with contextlib.suppress(OSError), open(_TERMINAL, "r+b", buffering=0) as terminal:  # noqa: PTH123 - a device
        terminal.write(f"\n{note}\npress Enter to go on with {context.run.spec} ".encode())
        with selectors.DefaultSelector() as selector:
            selector.register(terminal, selectors.EVENT_READ)
            while not selector.select(_LOOK_EVERY):
                if attempt.deadline is not None:
                    attempt.deadline.check()
            terminal.readline()


def _reason_to_go_on(provisioner: BreakpointProvisioner) -> str | None:
    if provisioner.disable:
        return "it is disabled"
    if os.environ.get("CI"):
        return "this is CI"
    try:
        with open(_TERMINAL, "r+b", buffering=0):  # noqa: PTH123 - a device
            at_terminal = sys.__stdin__ is not None and sys.__stdin__.isatty()
    except OSError:
        at_terminal = False
    return None if at_terminal else "there is no terminal"
