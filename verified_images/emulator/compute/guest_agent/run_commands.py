"""Run commands kept as resources of a machine (Run Command v2). Source: Azure OpenAPI, ComputeRP, and recordings."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.guest_agent.guest_scripts import GuestScript, end_of
from verified_images.emulator.compute.guest_agent.kind import AgentKind, check_changeable, machine_of
from verified_images.emulator.compute.guest_agent.run_command_documents import find_document
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.wire import Request

_SECRETS = ("protectedParameters", "runAsPassword")
_DEFAULT_SECONDS = 5400
_SHOWN = ("source", "parameters", "runAsUser", "timeoutInSeconds", "provisioningState", "asyncExecution")


class RunCommands(AgentKind):
    """Microsoft.Compute/virtualMachines/runCommands."""

    type: ClassVar[str] = "Microsoft.Compute/virtualMachines/runCommands"
    noun: ClassVar[str] = "run command"

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the script and where it comes from, and take the secrets out of the body."""
        check_changeable(cloud, machine_of(cloud, request.id))
        properties = dict(body.get("properties") or {})
        for read_only in ("instanceView", "provisioningState"):
            properties.pop(read_only, None)
        hidden: dict[str, Any] = dict(existing.hidden) if existing else {"number": -1}
        kept = dict(hidden.get("secrets") or {})
        secrets = {**kept, **{key: properties.pop(key) for key in _SECRETS if key in properties}}
        _check_source(properties.get("source") or {})
        seconds = properties.get("timeoutInSeconds") or 0
        if seconds < 0:
            raise invalid_parameter("timeoutInSeconds", "The value of parameter timeoutInSeconds is invalid.")
        filled = {"timeoutInSeconds": seconds, "asyncExecution": False, **properties}
        ordered = {key: filled[key] for key in _SHOWN if key in filled}
        hidden |= {"secrets": secrets, "number": hidden["number"] + 1}
        return Resource(request.id, {**body, "properties": {**ordered, **filled}}, hidden)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Run the script; an asynchronous one is only begun."""
        if not resource.properties.get("asyncExecution"):
            self._run(cloud, resource)
            return
        threading.Thread(
            target=self._run, args=(cloud, resource), name=f"run command {resource.id.name}", daemon=True
        ).start()

    def _run(self, cloud: Cloud, resource: Resource) -> None:
        machine = machine_of(cloud, resource.id)
        script = _script_of(resource)
        seconds = resource.properties.get("timeoutInSeconds") or _DEFAULT_SECONDS
        view: dict[str, Any] = {"exitCode": 0, "executionState": "Running", "executionMessage": "Execution in progress"}
        view |= {"output": "", "error": "", "startTime": _now()}
        _note(cloud, resource.id, view)
        try:
            outcome = cloud.hypervisor.run_command(machine.hidden["guest"], script.wrapped(), seconds)
        except HypervisorError as error:
            timed_out = "did not end within" in str(error)
            state = "TimedOut" if timed_out else "Failed"
            view |= {"exitCode": -1, "executionState": state, "executionMessage": f"Execution failed: {error}"}
        else:
            view |= {"output": end_of(outcome.stdout), "error": end_of(outcome.stderr), "exitCode": outcome.exit_code}
            view |= {"executionState": "Succeeded", "executionMessage": "Execution completed"}
            if outcome.exit_code:
                why = f"failed to execute command: command terminated with exit status={outcome.exit_code}"
                view |= {"executionState": "Failed", "executionMessage": f"Execution failed: {why}"}
        _note(cloud, resource.id, {**view, "endTime": _now()})
        if view["executionState"] != "Succeeded" and resource.properties.get("treatFailureAsDeploymentFailure"):
            raise ArmError(
                409,
                "VMRunCommandExecutionFailed",
                f"Run command '{resource.id.name}' failed on VM '{machine.id.name}': {view['executionMessage']}.",
            )

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """End the script if it runs, by way of the guest's agent, which may have gone."""
        machine = cloud.store.find(resource.id.parent) if resource.id.parent else None
        if machine is None or (resource.hidden.get("view") or {}).get("executionState") != "Running":
            return
        if cloud.hypervisor.is_running(machine.hidden["guest"]):
            _kill(cloud, machine, _script_of(resource))

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that a script that ran is gone with its guest."""
        view = resource.hidden.get("view") or {}
        if view.get("executionState") == "Running":
            message = "Execution failed: the VM was stopped"
            _note(cloud, resource.id, {**view, "executionState": "Failed", "executionMessage": message})

    def instance_view(self, resource: Resource) -> dict[str, Any]:
        """Give what became of the script."""
        return resource.hidden.get("view") or {"executionState": "Pending"}


class InstanceRunCommands(RunCommands):
    """Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands."""

    type: ClassVar[str] = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands"
    tracked: ClassVar[bool] = False


def _check_source(source: dict[str, Any]) -> None:
    given = [key for key in ("script", "scriptUri", "commandId") if source.get(key)]
    if not given:
        raise missing_parameter("runCommand.source")
    if len(given) > 1:
        raise invalid_parameter("source", "Only one of script, scriptUri and commandId can be specified in source.")
    if given == ["commandId"]:
        find_document(str(source["commandId"]))


def _script_of(resource: Resource) -> GuestScript:
    properties = resource.properties
    source = properties["source"]
    text = source.get("script") or ""
    if command := source.get("commandId"):
        text = "\n".join(find_document(str(command)).script)
    elif address := source.get("scriptUri"):
        text = _FETCH.replace("ADDRESS", str(address).replace("'", "'\\''"))
    given = [*(properties.get("parameters") or []), *(resource.hidden["secrets"].get("protectedParameters") or [])]
    pairs = [(str(each.get("name") or ""), str(each.get("value") or "")) for each in given]
    return GuestScript(
        f"run-command-handler/download/{resource.id.name}/{resource.hidden['number']}",
        text,
        arguments=tuple(value for _, value in pairs),
        variables=tuple((name, value) for name, value in pairs if name.isidentifier()),
        user=str(properties.get("runAsUser") or ""),
    )


_FETCH = """#!/bin/sh
if command -v curl >/dev/null; then
    curl -fsSL 'ADDRESS' -o downloaded.sh || exit 1
else
    wget -q 'ADDRESS' -O downloaded.sh || exit 1
fi
chmod 755 downloaded.sh
exec ./downloaded.sh "$@"
"""


def _kill(cloud: Cloud, machine: Resource, script: GuestScript) -> None:
    try:
        cloud.hypervisor.run_command(machine.hidden["guest"], script.killing(), 30)
    except HypervisorError:
        return


def _note(cloud: Cloud, identifier: ResourceId, view: dict[str, Any]) -> None:
    with cloud.store.changing(identifier) as found:
        if found:
            found.hidden["view"] = view


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
