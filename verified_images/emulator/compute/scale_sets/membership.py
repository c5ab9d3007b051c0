"""Virtual machines in a flexible scale set: who belongs to it, who may join, who leaves.

A virtual machine says in its own body that it belongs; the scale set's capacity follows. Source: Azure,
"Orchestration modes for Virtual Machine Scale Sets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.ids import same_id
from verified_images.emulator.network.references import SCALE_SET, referrers_of_type

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_MACHINE = "Microsoft.Compute/virtualMachines"


def scale_set_of(machine: Resource) -> str:
    """Give the id of the scale set that a virtual machine says it belongs to; empty when it says none."""
    return str((machine.properties.get("virtualMachineScaleSet") or {}).get("id") or "")


def members(cloud: Cloud, scale_set: Resource) -> list[Resource]:
    """Give the virtual machines of a flexible scale set, oldest first."""
    found = referrers_of_type(cloud, scale_set.id, _MACHINE)
    mine = [machine for machine in found if same_id(scale_set_of(machine), str(scale_set.id))]
    return sorted(mine, key=lambda machine: str(machine.properties.get("timeCreated", "")))


def check_membership(cloud: Cloud, machine: Resource) -> None:
    """Refuse a new virtual machine in a scale set where it cannot belong.

    Raises:
        ArmError: 404: there is no such scale set; 400: it is elsewhere, or makes its instances itself.
    """
    identifier = scale_set_of(machine)
    if not identifier:
        return
    scale_set = cloud.store.find(identifier)
    if scale_set is None or scale_set.id.type.lower() != SCALE_SET.lower():
        raise ArmError(
            404,
            "NotFound",
            f"The Virtual Machine Scale Set '{identifier}' referenced by VM '{machine.id.name}' was not found.",
            target="virtualMachineScaleSet.id",
        )
    why = ""
    if scale_set.properties.get("orchestrationMode") != "Flexible":
        why = "its orchestration mode is not 'Flexible'"
    elif scale_set.location != machine.location:
        why = f"it is in location '{scale_set.location}', not in '{machine.location}'"
    if why:
        raise invalid_parameter(
            "virtualMachineScaleSet.id",
            f"VM '{machine.id.name}' cannot be added to Virtual Machine Scale Set '{scale_set.id.name}': {why}.",
        )


def join(cloud: Cloud, machine: Resource) -> None:
    """Count a virtual machine that is being made in its scale set, unless that asked for it itself."""
    if not scale_set_of(machine) or machine.hidden.get("member"):
        return
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden["member"] = True
    if not machine.hidden.get("made_by_scale_set"):
        _count(cloud, machine, +1)


def leave(cloud: Cloud, machine: Resource) -> None:
    """Count a virtual machine that goes away out of its scale set, unless that removes it itself."""
    if machine.hidden.get("member") and not machine.hidden.get("removed_by_scale_set"):
        _count(cloud, machine, -1)


def _count(cloud: Cloud, machine: Resource, change: int) -> None:
    with cloud.store.changing(scale_set_of(machine)) as found:
        sku: dict[str, Any] | None = found.body.get("sku") if found else None
        if sku and sku.get("capacity") is not None:
            sku["capacity"] = max(0, int(sku["capacity"]) + change)
