"""When the extensions and run commands of a machine may change. Source: messages quoted in public issues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError, resource_not_found
from verified_images.emulator.compute.machines.guests import power_of

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource


def machine_of(cloud: Cloud, child: ResourceId) -> Resource:
    """Give the machine, or the instance of a scale set, that an extension or run command belongs to.

    Raises:
        ArmError: 404: there is none.
    """
    parent = child.parent
    machine = cloud.store.find(parent) if parent else None
    if machine is None:
        raise resource_not_found(parent or child)
    return machine


def check_changeable(cloud: Cloud, machine: Resource) -> None:
    """Refuse what needs the machine's agent while there is none.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    profile = machine.properties.get("osProfile") or {}
    linux = profile.get("linuxConfiguration") or {}
    if profile.get("allowExtensionOperations") is False or linux.get("provisionVMAgent") is False:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "This operation cannot be performed when extension operations are disallowed. To allow, please ensure VM "
            "Agent is installed on the VM and the osProfile.allowExtensionOperations property is true.",
        )
    if power_of(cloud, machine) != "running":
        raise ArmError(409, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
