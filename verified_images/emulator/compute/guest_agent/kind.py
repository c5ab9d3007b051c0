"""What extensions and run commands have in common: they are for a machine's agent, without which nothing changes.

Source: Azure OpenAPI, ComputeRP; messages quoted in public issues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, resource_not_found
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request


class AgentKind(Kind):
    """A type whose resources are things for a machine's agent to do."""

    style: ClassVar[Style] = Style(COMPUTE)
    slow_write: ClassVar[bool] = True
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def instance_view(self, resource: Resource) -> dict[str, Any]:
        """Give what the agent reported of the resource."""
        raise NotImplementedError

    def delete(self, cloud: Cloud, request: Request) -> Answer:
        """Delete; a machine that does not run keeps what is for its agent."""
        if cloud.store.find(request.id):
            check_changeable(cloud, machine_of(cloud, request.id))
        return super().delete(cloud, request)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the resource; with ``$expand=instanceView`` what the agent reported of it."""
        del cloud
        if request.query.get("$expand", "").lower() != "instanceview":
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "instanceView": self.instance_view(resource)}}


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
