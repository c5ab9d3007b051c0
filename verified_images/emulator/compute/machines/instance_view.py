"""The instance view: what a machine is doing now. Source: recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.guest_agent.extensions import extensions_of, handler_views, instance_view_of
from verified_images.emulator.compute.machines.guests import power_of

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_POWER_TEXTS = {
    "running": "VM running",
    "starting": "VM starting",
    "stopping": "VM stopping",
    "stopped": "VM stopped",
    "deallocating": "VM deallocating",
    "deallocated": "VM deallocated",
}


def instance_view(cloud: Cloud, machine: Resource) -> dict[str, Any]:
    """Give the instance view of a virtual machine."""
    power = power_of(cloud, machine)
    profile = machine.properties["storageProfile"]
    extensions = extensions_of(cloud, machine)
    view: dict[str, Any] = {}
    if len(machine.id.types) > 1:
        view |= {"platformUpdateDomain": 0, "platformFaultDomain": 0}
    # What the agent told last is shown until the hardware is given back (recorded of a scale set's instances).
    stopped = power == "stopped" and bool(machine.hidden.get("os"))
    if power == "running" or stopped:
        ready = stopped or cloud.hypervisor.is_agent_ready(machine.hidden["guest"])
        if ready:
            name = (machine.properties.get("osProfile") or {}).get("computerName", machine.id.name)
            view |= {"computerName": name, **(machine.hidden.get("os") or {})}
        view["vmAgent"] = _agent(extensions, ready=ready)
    view["disks"] = [
        {"name": disk["name"], "statuses": [provisioning_status("Succeeded")]}
        for disk in (profile["osDisk"], *(profile.get("dataDisks") or []))
    ]
    if _has_boot_diagnostics(machine):
        view["bootDiagnostics"] = {}
    if extensions:
        view["extensions"] = [instance_view_of(extension) for extension in extensions]
    view["hyperVGeneration"] = machine.hidden.get("generation", "V1")
    view["statuses"] = statuses(cloud, machine)
    return view


def statuses(cloud: Cloud, machine: Resource) -> list[dict[str, Any]]:
    """Give a machine's provisioning, power and, when generalized, OS state."""
    power = power_of(cloud, machine)
    found = [provisioning_status(machine.state)]
    if machine.hidden.get("os_state") == "Generalized":
        found.append({"code": "OSState/generalized", "level": "Info", "displayStatus": "VM generalized"})
    found.append(
        {"code": f"PowerState/{power}", "level": "Info", "displayStatus": _POWER_TEXTS.get(power, f"VM {power}")}
    )
    return found


def provisioning_status(state: str) -> dict[str, Any]:
    """Give a provisioning state as a status."""
    return {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Error" if state == "Failed" else "Info",
        "displayStatus": f"Provisioning {state.lower()}" if state != "Updating" else "Updating",
        "time": datetime.now(UTC).isoformat(),
    }


def _agent(extensions: list[Resource], *, ready: bool) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    if ready:
        status = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Ready",
            "message": "Guest Agent is running",
            "time": now,
        }
        handlers = list(handler_views(extensions))
        return {"vmAgentVersion": "2.9.1.1", "statuses": [status], "extensionHandlers": handlers}
    status = {
        "code": "ProvisioningState/Unavailable",
        "level": "Warning",
        "displayStatus": "Not Ready",
        "message": "VM status blob is found but not yet populated.",
        "time": now,
    }
    return {"vmAgentVersion": "Unknown", "statuses": [status]}


def _has_boot_diagnostics(machine: Resource) -> bool:
    diagnostics = (machine.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}
    return bool(diagnostics.get("enabled"))
