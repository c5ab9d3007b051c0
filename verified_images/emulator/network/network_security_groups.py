"""Network security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network.kind import NetworkKind
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.references import SCALE_SET, interfaces_naming, referrers_of_type, subnets_naming
from verified_images.emulator.network.security_rules import DefaultSecurityRules, SecurityRules, check_conflicts
from verified_images.emulator.operations import NETWORK

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.part import Part
    from verified_images.emulator.store import Resource

_READ_ONLY = {"networkInterfaces", "subnets", "flowLogs"}


class NetworkSecurityGroups(NetworkKind):
    """Microsoft.Network/networkSecurityGroups."""

    type: ClassVar[str] = "Microsoft.Network/networkSecurityGroups"
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_delete=10)
    parts: ClassVar[tuple[Part, ...]] = (SecurityRules(), DefaultSecurityRules())

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Leave out what a client cannot set."""
        del cloud, resource, existing
        return {key: value for key, value in given.items() if key not in _READ_ONLY}

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse rules that contradict each other."""
        del cloud
        check_conflicts(resource)

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the interfaces and subnets that the group protects."""
        users = {
            "networkInterfaces": [{"id": str(found.id)} for found in _interfaces(cloud, resource)],
            "subnets": [{"id": subnet} for subnet in _subnets(cloud, resource)],
        }
        return {name: found for name, found in users.items() if found}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while an interface or a subnet has the group."""
        for scale_set in referrers_of_type(cloud, resource.id, SCALE_SET):
            raise network_error(
                400,
                "NetworkSecurityGroupInUseByVirtualMachineScaleSet",
                f"Cannot delete network security group {resource.id} since it is in use by virtual machine scale set "
                f"{scale_set.id}.",
            )
        users = [str(found.id) for found in _interfaces(cloud, resource)] + _subnets(cloud, resource)
        if users:
            raise network_error(
                400,
                "InUseNetworkSecurityGroupCannotBeDeleted",
                f"Network security group {resource.id} cannot be deleted because it is in use by the following "
                f"resources: {', '.join(users)}. In order to delete the Network security group, remove the association "
                "with the resource(s). To learn how to do this, see aka.ms/deletensg.",
            )


def _interfaces(cloud: Cloud, group: Resource) -> list[Resource]:
    return [
        found
        for found in interfaces_naming(cloud, group.id)
        if id_of(found.properties.get("networkSecurityGroup")).lower() == group.id.key
    ]


def _subnets(cloud: Cloud, group: Resource) -> list[str]:
    return subnets_naming(cloud, group.id, "networkSecurityGroup")
