"""Where and at what priority a machine runs: zones, sets, groups, hosts, Spot.

Source: recorded answers; Azure, "Error messages for Azure Spot Virtual Machines".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.compute.proximity_placement_groups import check_group_reference
from verified_images.emulator.locations import ZONAL_LOCATIONS

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

ZONES = ("1", "2", "3")
_PRIORITIES = {"regular": "Regular", "low": "Low", "spot": "Spot"}
_EVICTION_POLICIES = {"deallocate": "Deallocate", "delete": "Delete"}
_MORE_AT = "For more information, see http://aka.ms/AzureSpot/errormessages"
_SEPARATE_HARDWARE = ("host", "hostGroup")


def check_placement(cloud: Cloud, machine: ResourceId, body: dict[str, Any]) -> None:
    """Refuse zones that the location does not have, and sets, groups and hosts that do not exist.

    Raises:
        ArmError: 400 or 404.
    """
    properties = body.get("properties") or {}
    zones = body.get("zones") or []
    if zones:
        check_zones(machine.type, zones, body["location"])
        if len(zones) > 1:
            raise invalid_parameter("zones", "The value of parameter zones is invalid: a VM can only be in one zone.")
    for key in _SEPARATE_HARDWARE:
        _check_reference(cloud, machine, (properties.get(key) or {}).get("id"))
    _check_availability_set(cloud, properties, zones)
    check_group_reference(cloud, machine, properties)


def check_zones(type_name: str, zones: list[str], location: str) -> None:
    """Refuse zones that a location does not have.

    Raises:
        ArmError: 400 LocationNotSupportAvailabilityZones or InvalidAvailabilityZone.
    """
    if location not in ZONAL_LOCATIONS:
        raise ArmError(
            400,
            "LocationNotSupportAvailabilityZones",
            f"The resource type '{type_name}' does not support availability zones at location '{location}'.",
        )
    if wrong := [zone for zone in zones if zone not in ZONES]:
        raise ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(wrong)}' for resource '{type_name}' is not supported. The supported zones for "
            f"location '{location}' are '{','.join(ZONES)}'.",
        )


def _check_reference(cloud: Cloud, machine: ResourceId, identifier: str | None) -> None:
    if identifier and cloud.store.find(identifier) is None:
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {identifier} referenced by resource {machine} was not found. Please make sure that the "
            "referenced resource exists, and that both resources are in the same region.",
            details=[],
        )


def _check_availability_set(cloud: Cloud, properties: dict[str, Any], zones: list[str]) -> None:
    identifier = (properties.get("availabilitySet") or {}).get("id")
    if not identifier:
        return
    found = cloud.store.find(identifier)
    if found is None:
        raise ArmError(404, "NotFound", f"Availability Set '{identifier}' cannot be found.", target="availabilitySet")
    if zones:
        raise ArmError(
            400, "BadRequest", "Virtual Machine cannot be created in an Availability Set and an Availability Zone."
        )
    if is_spot(properties):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Azure Spot Virtual Machine is not supported in Availability Set. {_MORE_AT}",
        )
    if (found.body.get("sku") or {}).get("name") != "Aligned":
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based "
            "disks to managed Availability Set is not supported. Please create an Availability Set with 'managed' "
            "property set in order to add a VM with managed disks to it.",
        )


def is_spot(properties: dict[str, Any]) -> bool:
    """Tell whether a machine's properties ask for Spot."""
    return str(properties.get("priority") or "Regular").lower() in {"spot", "low"}


def fill_priority(properties: dict[str, Any], size: Size) -> None:
    """Check priority, eviction policy and price, and fill in the defaults, in place.

    Raises:
        ArmError: 400 or 409.
    """
    if (given := properties.get("priority")) is not None:
        if str(given).lower() not in _PRIORITIES:
            raise invalid_parameter("priority", f"The value '{given}' of parameter 'priority' is invalid.")
        properties["priority"] = _PRIORITIES[str(given).lower()]
    if not is_spot(properties):
        for key, code, text in (
            ("evictionPolicy", "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines", "Eviction policy can be set"),
            ("billingProfile", "MaxPriceIsSupportedOnlyForAzureSpotVirtualMachines", "Max price is supported"),
        ):
            if properties.get(key):
                raise ArmError(409, code, f"{text} only on Azure Spot Virtual Machines. {_MORE_AT}")
        return
    if not size.spot:
        raise ArmError(
            409,
            "AzureSpotIsNotSupportedForThisVMSize",
            f"Azure Spot is not supported for this VM size {size.name}. {_MORE_AT}",
        )
    policy = str(properties.get("evictionPolicy") or "Deallocate")
    if policy.lower() not in _EVICTION_POLICIES:
        raise invalid_parameter("evictionPolicy", f"The value '{policy}' of parameter 'evictionPolicy' is invalid.")
    properties["evictionPolicy"] = _EVICTION_POLICIES[policy.lower()]
    _check_price((properties.get("billingProfile") or {}).get("maxPrice"))


def _check_price(price: float | None) -> None:
    if price is not None and price <= 0 and price != -1:
        raise ArmError(
            400,
            "MaxPriceValueInvalid",
            "Invalid max price value. The only supported values for max price are -1 or a decimal greater than zero. "
            f"Max price value of -1 indicates the Azure Spot VM won't be evicted for price reasons. {_MORE_AT}",
        )


def check_movable(cloud: Cloud, machine: Resource, body: dict[str, Any]) -> None:
    """Refuse an update that would move a machine: to another zone, or to another group while it runs.

    Raises:
        ArmError: 409.
    """
    properties = body.get("properties") or {}
    if body.get("zones") and body["zones"] != machine.body.get("zones"):
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", target="zones")
    power = power_of(cloud, machine)
    if "proximityPlacementGroup" in properties and power != "deallocated":
        before = str((machine.properties.get("proximityPlacementGroup") or {}).get("id", "")).lower()
        if str((properties["proximityPlacementGroup"] or {}).get("id", "")).lower() != before:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Updating proximity placement group of VM {machine.id.name} is not allowed while the VM is running. "
                "Please stop/deallocate the VM and retry the operation.",
            )
    check_group_reference(cloud, machine.id, properties)
    _check_new_price(machine, properties, allocated=power != "deallocated")


def _check_new_price(machine: Resource, properties: dict[str, Any], *, allocated: bool) -> None:
    price = (properties.get("billingProfile") or {}).get("maxPrice")
    before = (machine.properties.get("billingProfile") or {}).get("maxPrice", -1)
    if price is None or price == before:
        return
    if not is_spot(machine.properties):
        raise ArmError(
            409,
            "MaxPriceIsSupportedOnlyForAzureSpotVirtualMachines",
            f"Max price is supported only on Azure Spot Virtual Machines. {_MORE_AT}",
        )
    if allocated:
        raise ArmError(
            409,
            "MaxPriceChangeNotAllowedForAllocatedVMs",
            f"Max price change isn't allowed when the VM '{machine.id.name}' is currently allocated. Deallocate and "
            f"try again. {_MORE_AT}",
        )
    _check_price(price)
