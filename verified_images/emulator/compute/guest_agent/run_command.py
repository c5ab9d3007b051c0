"""Run Command: a script run in the guest through its agent. Source: recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute.guest_agent.guest_scripts import GuestScript, end_of
from verified_images.emulator.compute.guest_agent.run_command_documents import find_document
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

_SECONDS = 90 * 60


def routes(item: str, find: Callable[[Cloud, ResourceId], Resource]) -> Iterator[Route]:
    """Give the route of Run Command under ``item``; ``find`` gives the machine of an id."""
    yield Route("POST", f"{item}/runCommand", _running(find))


def _running(find: Callable[[Cloud, ResourceId], Resource]) -> Handler:
    def run(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        script = _script(request.json(), int(machine.hidden.get("run_commands", 0)))
        # A script may run for long and must not hold up what is done on its machine, so its turns are its own.
        slot = machine.id.child("runCommand", "script")
        with cloud.store.lock:
            if power_of(cloud, machine) != "running":
                raise ArmError(
                    409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run)."
                )
            if cloud.operations.turns.is_busy(slot.key):
                raise ArmError(
                    409,
                    "Conflict",
                    "Run command extension execution is in progress. Please wait for completion before invoking a run "
                    "command.",
                )
            with cloud.store.changing(machine.id) as found:
                if found:
                    found.hidden["run_commands"] = int(found.hidden.get("run_commands", 0)) + 1
            started = cloud.operations.start(
                request,
                f"{machine.id.type}/runCommand/action",
                machine.location,
                Work(lambda: _run(cloud, machine, script), on=slot),
                track=COMPUTE,
                slow=True,
            )
        return Answer(202, None, started.status_header | started.location_header)

    return run


def _script(body: dict[str, Any], number: int) -> GuestScript:
    command = body.get("commandId")
    if not command:
        raise missing_parameter("commandId")
    document = find_document(str(command))
    if document.os_type != "Linux":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The run command '{document.name}' is not supported on OS type Linux.",
        )
    given = [
        (str(parameter.get("name", "")), str(parameter.get("value", ""))) for parameter in body.get("parameters") or []
    ]
    lines = (body.get("script") or document.script) if document.takes_script else document.script
    return GuestScript(
        f"run-command/download/{number}",
        "\n".join(lines),
        arguments=tuple(value for _, value in given),
        variables=tuple((name, value) for name, value in given if name.isidentifier()),
    )


def _run(cloud: Cloud, machine: Resource, script: GuestScript) -> dict[str, Any]:
    outcome = cloud.hypervisor.run_command(machine.hidden["guest"], script.wrapped(), _SECONDS)
    now = cloud.store.find(machine.id)
    if now is None or now.state == "Deleting" or power_of(cloud, now) != "running":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The script was ended: VM '{machine.id.name}' does not run any more.",
        )
    ended = "succeeded: "
    if outcome.exit_code:
        ended = f"failed: failed to execute command: command terminated with exit status={outcome.exit_code}"
    message = f"Enable {ended}\n[stdout]\n{end_of(outcome.stdout)}\n[stderr]\n{end_of(outcome.stderr)}"
    return {
        "value": [
            {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
                "message": message,
            }
        ]
    }
