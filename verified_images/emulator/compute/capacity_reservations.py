"""Groups of reserved capacity and their reservations. Source: Azure OpenAPI, ComputeRP, and recorded exchanges.

There is as much capacity as the quotas allow: what is reserved is noted, and kept from nobody.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.images.galleries import refuse_nested
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

GROUP_TYPE = "Microsoft.Compute/capacityReservationGroups"
TYPE = "Microsoft.Compute/capacityReservationGroups/capacityReservations"
_FAULT_DOMAINS = 3


class CapacityReservationGroups(Kind):
    """Microsoft.Compute/capacityReservationGroups."""

    type: ClassVar[str] = GROUP_TYPE
    style: ClassVar[Style] = Style(COMPUTE)
    noun: ClassVar[str] = "Capacity Reservation Group"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Give the subscriptions that a group is shared with as ids."""
        del cloud
        properties = dict(body.get("properties") or {})
        if profile := properties.get("sharingProfile"):
            shared = [_subscription_id(each) for each in profile.get("subscriptionIds") or []]
            properties["sharingProfile"] = {**profile, "subscriptionIds": shared}
        if existing and existing.body.get("zones", []) != body.get("zones", existing.body.get("zones", [])):
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", target="zones")
        kept = existing.body if existing else {}
        return Resource(request.id, {**kept, **body, "properties": properties})

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the group, or in a list with ``resourceIdsOnly`` no more than where it is."""
        if request.query.get("resourceidsonly"):
            return {"id": str(resource.id), "type": self.type, "location": resource.location}
        members = cloud.store.select(TYPE, under=resource.id)
        more = {"capacityReservations": [{"id": str(each.id)} for each in members]} if members else {}
        return {**resource.body, "properties": {**resource.properties, **more}}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while there are reservations."""
        refuse_nested(cloud, resource)


class CapacityReservations(Kind):
    """Microsoft.Compute/capacityReservationGroups/capacityReservations."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE)
    noun: ClassVar[str] = "Capacity Reservation"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check what is reserved: machines of one size."""
        del cloud
        sku = {**(existing.body["sku"] if existing else {}), **(body.get("sku") or {})}
        for key in ("name", "capacity"):
            if sku.get(key) is None:
                raise missing_parameter(f"sku.{key}")
        sku["name"] = find_size(sku["name"]).name
        if existing and sku["name"] != existing.body["sku"]["name"]:
            raise ArmError(
                409, "PropertyChangeNotAllowed", "Changing property 'sku.name' is not allowed.", target="sku.name"
            )
        made = {
            "platformFaultDomainCount": _FAULT_DOMAINS,
            "reservationId": str(uuid.uuid4()),
            "timeCreated": datetime.now(UTC).isoformat(),
        }
        return Resource(
            request.id, {**body, "sku": sku, "properties": {**made, **(existing.properties if existing else {})}}
        )

    def settle(self, cloud: Cloud, resource: Resource) -> None:
        """Note when the capacity was there."""
        del cloud
        resource.properties.setdefault("provisioningTime", datetime.now(UTC).isoformat())

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the reservation; with ``$expand=instanceView`` how much of it is used, too."""
        del cloud
        if request.query.get("$expand", "").lower() != "instanceview":
            return resource.body
        used = {
            "utilizationInfo": {"currentCapacity": resource.body["sku"]["capacity"], "virtualMachinesAllocated": []}
        }
        return {**resource.body, "properties": {**resource.properties, "instanceView": used}}


def _subscription_id(given: dict[str, Any]) -> dict[str, str]:
    return {"id": f"/subscriptions/{str(given.get('id', '')).rpartition('/')[2]}"}
