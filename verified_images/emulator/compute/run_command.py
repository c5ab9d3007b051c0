"""Run Command: a script run in the guest through its agent. Source: recorded exchanges."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.guests import power_of
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

_MOST_OUTPUT = 4096
_SECONDS = 90 * 60


def routes(item: str, find: Callable[[Cloud, ResourceId], Resource]) -> Iterator[Route]:
    """Give the route of Run Command under ``item``; ``find`` gives the machine of an id."""
    yield Route("POST", f"{item}/runCommand", _running(find))


def _running(find: Callable[[Cloud, ResourceId], Resource]) -> Handler:
    def run(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        script = _script(request.json())
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


def _script(body: dict[str, Any]) -> str:
    command = body.get("commandId")
    if not command:
        raise missing_parameter("commandId")
    if command != "RunShellScript":
        raise invalid_parameter("commandId", f"The entity was not found in this Azure location: command '{command}'.")
    lines = body.get("script") or []
    assignments = [
        f"{parameter['name']}={shlex.quote(str(parameter.get('value', '')))}"
        for parameter in body.get("parameters") or []
        if parameter.get("name", "").isidentifier()
    ]
    values = [shlex.quote(str(parameter.get("value", ""))) for parameter in body.get("parameters") or []]
    return "\n".join([*(f"export {text}" for text in assignments), f"set -- {' '.join(values)}", *lines])


def _run(cloud: Cloud, machine: Resource, script: str) -> dict[str, Any]:
    outcome = cloud.hypervisor.run_command(machine.hidden["guest"], script, _SECONDS)
    now = cloud.store.find(machine.id)
    if now is None or now.state == "Deleting" or power_of(cloud, now) != "running":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The script was ended: VM '{machine.id.name}' does not run any more.",
        )
    succeeded = outcome.exit_code == 0
    message = (
        f"Enable {'succeeded' if succeeded else 'failed'}: \n[stdout]\n{outcome.stdout[-_MOST_OUTPUT:]}\n"
        f"[stderr]\n{outcome.stderr[-_MOST_OUTPUT:]}"
    )
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
