"""Proximity placement groups. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.settled_kind import SettledKind, check_empty, check_unchanged, members_of
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/proximityPlacementGroups"
_MEMBERS = ("virtualMachines", "virtualMachineScaleSets", "availabilitySets")
_KINDS = {"standard": "Standard", "ultra": "Ultra"}


class ProximityPlacementGroups(SettledKind):
    """Microsoft.Compute/proximityPlacementGroups."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(None, created=(201, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "Proximity Placement Group"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the type and the sizes that are intended, and fill in the defaults."""
        del cloud
        properties = dict(body.get("properties") or {})
        for read_only in (*_MEMBERS, "provisioningState"):
            properties.pop(read_only, None)
        given = str(properties.get("proximityPlacementGroupType") or "Standard")
        if given.lower() not in _KINDS:
            raise invalid_parameter(
                "proximityPlacementGroupType", "The value of parameter proximityPlacementGroupType is invalid."
            )
        properties["proximityPlacementGroupType"] = _KINDS[given.lower()]
        check_unchanged(existing, properties, ("proximityPlacementGroupType",))
        for size in (properties.get("intent") or {}).get("vmSizes") or []:
            find_size(size)
        return Resource(request.id, {**body, "properties": properties})

    def members(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the machines, scale sets and availability sets of the group."""
        return {
            each: members_of(cloud, resource, f"Microsoft.Compute/{each}", "proximityPlacementGroup")
            for each in _MEMBERS
        }

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while something is in the group."""
        check_empty("Proximity Placement Group", resource, self.members(cloud, resource))


def check_group_reference(cloud: Cloud, referrer: ResourceId, properties: dict[str, Any]) -> None:
    """Refuse a resource whose ``proximityPlacementGroup`` does not exist.

    Raises:
        ArmError: 404 NotFound.
    """
    identifier = (properties.get("proximityPlacementGroup") or {}).get("id")
    if identifier and cloud.store.find(identifier) is None:
        raise ArmError(
            404,
            "NotFound",
            f"The proximity placement group '{identifier}' that '{referrer.name}' refers to was not found.",
            target="proximityPlacementGroup",
        )
