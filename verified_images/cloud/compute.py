"""Virtual machines: made, asked, stopped and marked as generalized."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verified_images.cloud.machine_extras import MachineExtras, add_extras
from verified_images.cloud.operations import is_provisioned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azure.core.polling import LROPoller

    from verified_images.cloud.operations import Arm, Body, Operation
    from verified_images.cloud.place import Place

RUN_COMMAND_SECONDS = 5 * 60.0

_TAKEN_BACK = frozenset({"powerstate/deallocating", "powerstate/deallocated", "provisioningstate/deleting"})


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log into a new machine: a user and the run's public key, never a password."""

    username: str
    public_key: str


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A virtual machine as it is to be made. ``image`` is the ``imageReference`` in wire shape.

    With ``os_disk_id`` it is booted from that disk as it is: nobody sets up ``login`` or custom data in it.
    ``custom_data`` and ``user_data`` are plain text; ARM gets them in base64.
    """

    name: str
    size: str
    image: Mapping[str, Any]
    login: Login
    os_disk_name: str
    os_disk_type: str
    interface_id: str
    os_disk_id: str | None = None
    os_disk_size_gb: int | None = None
    security_type: str | None = None
    purchase_plan: Mapping[str, str] | None = None
    custom_data: str | None = None
    user_data: str | None = None
    zone: str | None = None
    extras: MachineExtras = field(default_factory=MachineExtras)


def begin_machine(arm: Arm, place: Place, spec: MachineSpec) -> Operation[Any]:
    """Begin to make a virtual machine, which boots long before Azure calls it provisioned."""
    body = machine_body(place, spec)
    machines = arm.connection.compute.virtual_machines
    return arm.begin(
        "create virtual machine",
        spec.name,
        lambda: machines.begin_create_or_update(place.group, spec.name, body),
        look=arm.when_provisioned("virtual machine", spec.name, lambda: machines.get(place.group, spec.name)),
    )


def is_running(arm: Arm, group: str, name: str) -> bool:
    """Tell whether a virtual machine is on.

    Raises:
        NotFoundError: there is none of that name.
    """
    machines = arm.connection.compute.virtual_machines
    view: Any = arm.call("get virtual machine", name, lambda: machines.instance_view(group, name))
    return has_power_state(view, "running")


def has_power_state(view: Mapping[str, Any], state: str) -> bool:
    """Tell whether a machine is "running", "deallocated" or the like, by its instance view."""
    return any(status["code"] == f"PowerState/{state}" for status in view.get("statuses") or ())


def is_taken_back(arm: Arm, group: str, name: str) -> bool:
    """Tell whether Azure has stopped or deleted a spot machine, or is about to."""
    machines = arm.connection.compute.virtual_machines
    view: Any = arm.find("get virtual machine", name, lambda: machines.instance_view(group, name))
    if view is None:
        return True
    codes = {str(status["code"]).lower() for status in view.get("statuses") or ()}
    return not codes.isdisjoint(_TAKEN_BACK)


def start_machine(arm: Arm, group: str, name: str) -> None:
    """Boot a virtual machine that is stopped."""
    machines = arm.connection.compute.virtual_machines
    arm.run("start virtual machine", name, lambda: machines.begin_start(group, name))


def power_off_machine(arm: Arm, group: str, name: str) -> None:
    """Shut a virtual machine down in good order; its place on a host stays its own."""
    machines = arm.connection.compute.virtual_machines
    arm.run("power off virtual machine", name, lambda: machines.begin_power_off(group, name))


def deallocate_machine(arm: Arm, group: str, name: str) -> None:
    """Stop a virtual machine and give back its hardware."""
    machines = arm.connection.compute.virtual_machines

    def look() -> Any:  # noqa: ANN401 - a model of the SDK
        ask: Callable[[], Any] = functools.partial(machines.get, group, name, expand="instanceView")
        machine = arm.call("get virtual machine", name, ask)
        stopped = has_power_state(machine["properties"].get("instanceView") or {}, "deallocated")
        return machine if stopped and is_provisioned(machine) else None

    arm.run("deallocate virtual machine", name, lambda: machines.begin_deallocate(group, name), look=look)


def generalize_machine(arm: Arm, group: str, name: str) -> None:
    """Tell Azure that the stopped machine's disk holds a generalized system; it cannot be started again."""
    machines = arm.connection.compute.virtual_machines
    arm.call("generalize virtual machine", name, lambda: machines.generalize(group, name))


def fetch_serial_log(arm: Arm, group: str, name: str) -> str:
    """Return what the machine has written to its serial console, as far as Azure has it by now."""
    machines = arm.connection.compute.virtual_machines
    links = arm.call("get serial log of", name, lambda: machines.retrieve_boot_diagnostics_data(group, name))
    return download_serial_log(arm, links.get("serialConsoleLogBlobUri"))


def download_serial_log(arm: Arm, url: str | None) -> str:
    """Return the text of a serial log at the address that boot diagnostics gave; empty where there is none yet."""
    return arm.connection.download(url).decode(errors="replace") if url else ""


def run_command(arm: Arm, group: str, name: str, script: list[str]) -> str:
    """Run shell lines as root by the machine's agent, not by SSH, and return the agent's message."""
    machines = arm.connection.compute.virtual_machines
    return finish_run_command(arm, name, lambda: machines.begin_run_command(group, name, command_body(script)))


def command_body(script: list[str]) -> Body:
    """Return the body of a run command."""
    return {"commandId": "RunShellScript", "script": script}


def finish_run_command(arm: Arm, name: str, start: Callable[[], LROPoller[Any]]) -> str:
    """Wait for a run command and return the agent's message, which holds stdout and stderr."""
    answer = arm.run("run command on", name, start, seconds=RUN_COMMAND_SECONDS)
    statuses: list[Mapping[str, Any]] = (answer or {}).get("value") or []
    return "\n".join(str(status.get("message") or "") for status in statuses)


def machine_body(place: Place, spec: MachineSpec) -> Body:
    """Return the body of the request that makes the machine."""
    properties: Body = {
        "hardwareProfile": {"vmSize": spec.size},
        **_origin(spec),
        "networkProfile": {
            "networkInterfaces": [{"id": spec.interface_id, "properties": {"primary": True, "deleteOption": "Delete"}}]
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.user_data is not None:
        properties["userData"] = _base64(spec.user_data)
    if spec.security_type:
        properties["securityProfile"] = security_profile(spec.security_type)
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": properties,
    }
    if spec.zone:
        body["zones"] = [spec.zone]
    if spec.purchase_plan:
        body["plan"] = dict(spec.purchase_plan)
    add_extras(body, spec.extras, spec.os_disk_type)
    return body


def linux_configuration(login: Login) -> Body:
    """Return the part of a machine's profile that lets the key in, and nothing else."""
    return {
        "disablePasswordAuthentication": True,
        "provisionVMAgent": True,
        "patchSettings": {"patchMode": "ImageDefault"},
        "ssh": {"publicKeys": [{"path": f"/home/{login.username}/.ssh/authorized_keys", "keyData": login.public_key}]},
    }


def security_profile(security_type: str) -> Body:
    """Return the security profile of a machine with this security type."""
    if security_type in {"TrustedLaunch", "ConfidentialVM"}:
        return {
            "securityType": security_type,
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        }
    return {"securityType": security_type}


def _origin(spec: MachineSpec) -> Body:
    """Return what the machine's system comes from, and who is set up in it."""
    if spec.os_disk_id:
        disk = {"osType": "Linux", "createOption": "Attach", "caching": "ReadWrite", "deleteOption": "Delete"}
        return {"storageProfile": {"osDisk": {**disk, "managedDisk": {"id": spec.os_disk_id}}}}
    profile: Body = {
        "computerName": spec.name,
        "adminUsername": spec.login.username,
        "linuxConfiguration": linux_configuration(spec.login),
    }
    if spec.custom_data is not None:
        profile["customData"] = _base64(spec.custom_data)
    return {
        "storageProfile": {"imageReference": dict(spec.image), "osDisk": _os_disk(spec)},
        "osProfile": profile,
    }


def _os_disk(spec: MachineSpec) -> Body:
    disk: Body = {
        "name": spec.os_disk_name,
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": spec.os_disk_type},
    }
    if spec.os_disk_size_gb:
        disk["diskSizeGB"] = spec.os_disk_size_gb
    return disk


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
