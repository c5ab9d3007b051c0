"""Availability sets. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import invalid_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.proximity_placement_groups import check_group_reference
from verified_images.emulator.compute.settled_kind import (
    SettledKind,
    check_empty,
    check_range,
    check_unchanged,
    members_of,
)
from verified_images.emulator.compute.skus import sizes_answer
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Answer, Request

TYPE = "Microsoft.Compute/availabilitySets"
_MACHINES = "Microsoft.Compute/virtualMachines"
_MOST_UPDATE_DOMAINS = 20
_MOST_FAULT_DOMAINS = 3
_SKUS = {"classic": "Classic", "aligned": "Aligned"}


class AvailabilitySets(SettledKind):
    """Microsoft.Compute/availabilitySets."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(None, created=(200, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "Availability Set"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the route of the sizes that fit a set."""
        yield Route("GET", self.collection_pattern() + "/{name}/vmSizes", self._list_sizes)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check domains and SKU, and fill in the defaults."""
        properties = dict(body.get("properties") or {})
        for read_only in ("virtualMachines", "statuses", "provisioningState"):
            properties.pop(read_only, None)
        check_unchanged(existing, properties, ("platformFaultDomainCount", "platformUpdateDomainCount"))
        before = existing.properties if existing else {}
        filled = {"platformUpdateDomainCount": 5, "platformFaultDomainCount": 3, **before, **properties}
        check_range("platformUpdateDomainCount", filled["platformUpdateDomainCount"], 1, _MOST_UPDATE_DOMAINS)
        check_range("platformFaultDomainCount", filled["platformFaultDomainCount"], 1, _MOST_FAULT_DOMAINS)
        check_group_reference(cloud, request.id, filled)
        given = str((body.get("sku") or {}).get("name") or "Classic")
        if given.lower() not in _SKUS:
            raise invalid_parameter("sku.name", "The value of parameter sku.name is invalid.")
        return Resource(request.id, {**body, "properties": filled, "sku": {"name": _SKUS[given.lower()]}})

    def members(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the machines of the set."""
        return {"virtualMachines": members_of(cloud, resource, _MACHINES, "availabilitySet")}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while the set has machines."""
        check_empty("Availability Set", resource, self.members(cloud, resource))

    def _list_sizes(self, cloud: Cloud, request: Request) -> Answer:
        return sizes_answer(self.find(cloud, request.id).location)
