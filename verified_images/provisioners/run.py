"""Running a template's provisioners in order, with their pauses, time limits and retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.errors import CommandError, DeadlineError, MachineError, ProvisionerError
from verified_images.provisioners.ansible import run_playbook
from verified_images.provisioners.ansible_local import run_playbooks_in_machine
from verified_images.provisioners.attempt import Attempt, AttemptError
from verified_images.provisioners.breakpoint import wait_for_somebody
from verified_images.provisioners.chef import run_chef_client, run_chef_solo
from verified_images.provisioners.file import copy_files
from verified_images.provisioners.puppet import apply_manifests, run_agent
from verified_images.provisioners.salt import apply_states
from verified_images.provisioners.shell import run_scripts
from verified_images.provisioners.shell_local import run_scripts_here
from verified_images.provisioners.sleep import sleep
from verified_images.templates.model import (
    AnsibleLocalProvisioner,
    AnsibleProvisioner,
    BreakpointProvisioner,
    ChefClientProvisioner,
    ChefSoloProvisioner,
    FileProvisioner,
    PuppetMasterlessProvisioner,
    PuppetServerProvisioner,
    SaltMasterlessProvisioner,
    ShellLocalProvisioner,
    ShellProvisioner,
    SleepProvisioner,
)
from verified_images.waiting import Deadline, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verified_images.provisioners.context import ProvisionContext
    from verified_images.templates.provisioners import Provisioner

_RUNS: dict[type[Provisioner], Callable[[Any, Attempt], None]] = {
    AnsibleLocalProvisioner: run_playbooks_in_machine,
    AnsibleProvisioner: run_playbook,
    BreakpointProvisioner: wait_for_somebody,
    ChefClientProvisioner: run_chef_client,
    ChefSoloProvisioner: run_chef_solo,
    FileProvisioner: copy_files,
    PuppetMasterlessProvisioner: apply_manifests,
    PuppetServerProvisioner: run_agent,
    SaltMasterlessProvisioner: apply_states,
    ShellLocalProvisioner: run_scripts_here,
    ShellProvisioner: run_scripts,
    SleepProvisioner: sleep,
}
_RECONNECT_WITHIN = 300.0  # seconds: Packer's start_retry_timeout


def run_provisioners(
    provisioners: Sequence[Provisioner],
    context: ProvisionContext,
    *,
    done: int = 0,
    after_each: Callable[[int], None] = lambda _: None,
) -> None:
    """Run them all, in order, but for the first that are ``done`` already.

    ``after_each`` is called with the number of those that are done by then.

    Raises:
        ProvisionerError: one failed, also when it was tried again as often as the template says.
    """
    for number, provisioner in enumerate(provisioners[done:], done + 1):
        _run(provisioner, context, len(provisioners))
        after_each(number)


def _run(provisioner: Provisioner, context: ProvisionContext, count: int) -> None:
    name = f"provisioner {provisioner.index} ({provisioner.kind})"
    pause(provisioner.pause_before)
    for tried in range(provisioner.max_retries + 1):
        context.step(f"provisioner {provisioner.index} of {count}: {provisioner.kind}")
        started = Deadline(name, 0)
        attempt = Attempt(context, provisioner, tried)
        try:
            _dispatch(provisioner, attempt)
        except (AttemptError, MachineError, DeadlineError, OSError, ValueError) as error:
            if tried == provisioner.max_retries:
                raise _failure(provisioner, attempt, error, started.elapsed) from error
            left = provisioner.max_retries - tried
            context.step(context.masker(f"{name} failed{_reason(error, attempt)}; trying again, up to {left} time(s)"))
        else:
            context.step(f"{name} done in {started.elapsed:.0f} s")
            return


def _dispatch(provisioner: Provisioner, attempt: Attempt) -> None:
    session = attempt.context.session
    if not session.alive:
        session.reconnect(_RECONNECT_WITHIN)
    run = _RUNS.get(type(provisioner))
    if run is None:
        raise AttemptError(f": nothing can run a provisioner of kind '{provisioner.kind}'")
    try:
        run(provisioner, attempt)
    finally:
        attempt.finish()


def _failure(provisioner: Provisioner, attempt: Attempt, error: Exception, seconds: float) -> ProvisionerError:
    context = attempt.context
    line = "" if provisioner.line is None else f":{provisioner.line}"
    where = f"provisioner {provisioner.index} ({provisioner.kind}) at {context.file}{line}"
    # On lines of its own, so that the first line is the whole sentence.
    tail = f"\nIts last lines of output:\n{attempt.tail}" if attempt.tail else ""
    exit_code = error.exit_code if isinstance(error, (AttemptError, CommandError)) else None
    return ProvisionerError(
        context.masker(f"{where} failed after {seconds:.0f} s{_reason(error, attempt)}{tail}"),
        kind=provisioner.kind,
        index=provisioner.index,
        file=context.file,
        line=provisioner.line,
        exit_code=exit_code,
        tail=context.masker(attempt.tail),
    )


def _reason(error: Exception, attempt: Attempt) -> str:
    if isinstance(error, AttemptError):
        return str(error)
    if isinstance(error, DeadlineError) and attempt.deadline and attempt.deadline.is_over:
        seen = f"; last seen: {error.last_seen}" if error.last_seen else ""
        return f": its time of {attempt.deadline.seconds:.0f} s was up{seen}"
    return f": {error}"
