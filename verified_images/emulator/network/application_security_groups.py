"""Application security groups: names for sets of IP configurations that security rules speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network import api_versions
from verified_images.emulator.network.kind import NetworkKind
from verified_images.emulator.network.references import APPLICATION_GROUP, configurations_naming, referrers_of_type
from verified_images.emulator.operations import NETWORK

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


class ApplicationSecurityGroups(NetworkKind):
    """Microsoft.Network/applicationSecurityGroups. One has no properties of its own, and shows no GUID."""

    type: ClassVar[str] = APPLICATION_GROUP
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=10, retry_delete=10)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.since("2017-09-01")

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Keep nothing: what a client can set is name, location and tags."""
        del cloud, resource, given, existing
        return {}

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the group."""
        body = super().render(cloud, resource, request)
        body["properties"].pop("resourceGuid", None)
        return body

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while an IP configuration or a security rule names the group."""
        members = [
            found.body["name"] for found in configurations_naming(cloud, resource.id, "applicationSecurityGroups")
        ]
        if members:
            raise network_error(
                400,
                "InUseApplicationSecurityGroupCannotBeDeleted",
                f"Application Security Group {resource.id.name} cannot be deleted because it is referenced by "
                f"IpConfiguration(s) {', '.join(members)}.",
            )
        for group in referrers_of_type(cloud, resource.id, "Microsoft.Network/networkSecurityGroups"):
            raise network_error(
                400,
                "InUseApplicationSecurityGroupCannotBeDeleted",
                f"Application Security Group {resource.id.name} cannot be deleted because it is referenced by network "
                f"security group {group.id}.",
            )
