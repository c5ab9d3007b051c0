"""Route tables, which subnets name; a guest's own routes are its hypervisor's."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network.kind import NetworkKind
from verified_images.emulator.network.part import Part
from verified_images.emulator.network.references import ROUTE_TABLE, subnets_naming
from verified_images.emulator.operations import NETWORK

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


class Routes(Part):
    """The routes of a table."""

    collection: ClassVar[str] = "routes"
    writable: ClassVar[bool] = True

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check where a route leads."""
        del cloud, existing
        owner = f"{parent.id}/routes/{name}"
        _check_prefix(given.get("addressPrefix"), owner)
        if not given.get("nextHopType"):
            raise network_error(400, "RouteNextHopTypeNotSpecified", f"Next hop type for route {owner} is required.")
        if (given["nextHopType"] == "VirtualAppliance") != bool(given.get("nextHopIpAddress")):
            raise network_error(
                400,
                "InvalidRouteNextHopIpAddress",
                f"Next hop IP address of route {owner} must be specified for next hop type VirtualAppliance, and for "
                "no other.",
            )
        return {**given, "hasBgpOverride": False}


class RouteTables(NetworkKind):
    """Microsoft.Network/routeTables."""

    type: ClassVar[str] = ROUTE_TABLE
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=10, retry_delete=10)
    parts: ClassVar[tuple[Part, ...]] = (Routes(),)

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Add Azure's default."""
        del cloud, resource, existing
        return {"disableBgpRoutePropagation": False, **given}

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse two routes of one range."""
        del cloud
        seen: dict[str, str] = {}
        for route in resource.properties["routes"]:
            prefix = route["properties"]["addressPrefix"].lower()
            if prefix in seen:
                raise network_error(
                    400,
                    "RouteConflict",
                    f"Route {seen[prefix]} conflicts with route {route['name']}. Routes cannot have the same "
                    "AddressPrefix.",
                )
            seen[prefix] = route["name"]

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the subnets that have the table."""
        subnets = subnets_naming(cloud, resource.id, "routeTable")
        return {"subnets": [{"id": subnet} for subnet in subnets]} if subnets else {}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a subnet has the table."""
        if subnets_naming(cloud, resource.id, "routeTable"):
            raise network_error(
                400,
                "InUseRouteTableCannotBeDeleted",
                f"Route table {resource.id.name} is in use and cannot be deleted.",
            )


def _check_prefix(prefix: Any, owner: str) -> None:  # noqa: ANN401 - any JSON value
    # A service tag is a range as well.
    text = str(prefix or "")
    try:
        if not text.isalpha():
            ip_network(text)
    except ValueError as error:
        raise network_error(
            400, "InvalidRouteAddressPrefix", f"Route {owner} has an invalid address prefix. Value provided: {text}"
        ) from error
