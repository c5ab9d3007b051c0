"""vCPU quotas: what a subscription uses in a location and how much it may. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines.placement import is_spot
from verified_images.emulator.compute.sizes import SIZES, find_size
from verified_images.emulator.locations import check_known_location
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.store import Resource

MACHINES = "Microsoft.Compute/virtualMachines"
SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"
AVAILABILITY_SETS = "Microsoft.Compute/availabilitySets"
_MACHINE_LIMIT = 25000
_SCALE_SET_LIMIT = 2500
_DEDICATED_LIMIT = 3000


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages", _list)


def cores_in_use(cloud: Cloud, location: str, family: str | None = None, *, spot: bool = False) -> int:
    """Count the vCPUs of a location's machines: all, or those of a size family; Spot is counted by itself."""
    counted = 0
    for machine in cloud.store.select(MACHINES):
        size = find_size(machine.properties["hardwareProfile"]["vmSize"])
        if machine.location == location and family in {None, size.family} and is_spot(machine.properties) == spot:
            counted += size.cpus
    for scale_set in cloud.store.select(SCALE_SETS):
        sku = scale_set.body.get("sku") or {}
        profile = scale_set.properties.get("virtualMachineProfile") or {}
        if _is_flexible(scale_set) or scale_set.location != location or not sku.get("name"):
            continue
        size = find_size(sku["name"])
        if is_spot(profile) == spot and family in {None, size.family}:
            counted += size.cpus * int(sku.get("capacity", 0))
    return counted


def _is_flexible(scale_set: Resource) -> bool:
    """Tell whether a scale set's instances are ordinary machines, which are counted as such."""
    return str(scale_set.properties.get("orchestrationMode", "")).lower() == "flexible"


def check_quota(  # noqa: PLR0913 - what is wanted, and of which quota
    cloud: Cloud, location: str, size_name: str, count: int, *, freed: Size | None = None, spot: bool = False
) -> None:
    """Refuse machines that the quotas of cores have no room for; ``freed`` is the size that a machine gives up.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    size = find_size(size_name)
    wanted, given_up = size.cpus * count, freed.cpus if freed else 0
    if spot:
        used = cores_in_use(cloud, location, spot=True)
        _check_limit(cloud, "lowPriorityCores", "LowPriorityCores", location, used=used, needed=wanted - given_up)
        return
    used = cores_in_use(cloud, location)
    _check_limit(cloud, "cores", "Total Regional Cores", location, used=used, needed=wanted - given_up)
    same_family = freed is not None and freed.family == size.family
    used = cores_in_use(cloud, location, size.family)
    needed = wanted - (given_up if same_family else 0)
    _check_limit(cloud, size.family, f"{size.family} Cores", location, used=used, needed=needed)


def _check_limit(  # noqa: PLR0913 - the facts of the message
    cloud: Cloud, name: str, label: str, location: str, *, used: int, needed: int
) -> None:
    limit = cloud.offering.limit_of(name)
    if needed > 0 and used + needed > limit:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation could not be completed as it results in exceeding approved {label} quota. Additional details - "
            f"Deployment Model: Resource Manager, Location: {location}, Current Limit: {limit}, Current Usage: {used}, "
            f"Additional Required: {needed}, (Minimum) New Limit Required: {used + needed}. Setup Alerts when Quota "
            "reaches threshold. Learn more at https://aka.ms/quotamonitoringalerting . Submit a request for Quota "
            "increase at https://aka.ms/ProdportalCRP/ by specifying parameters listed in the 'Details' section for "
            "deployment to succeed.",
        )


def _list(cloud: Cloud, request: Request) -> Answer:
    location = check_known_location(request.parameters["location"])

    def count(kind: str) -> int:
        return sum(1 for found in cloud.store.select(kind) if found.location == location)

    limit_of = cloud.offering.limit_of
    usages = [
        _usage("availabilitySets", "Availability Sets", count(AVAILABILITY_SETS), _SCALE_SET_LIMIT),
        _usage("cores", "Total Regional vCPUs", cores_in_use(cloud, location), limit_of("cores")),
        _usage("virtualMachines", "Virtual Machines", count(MACHINES), _MACHINE_LIMIT),
        _usage("virtualMachineScaleSets", "Virtual Machine Scale Sets", count(SCALE_SETS), _SCALE_SET_LIMIT),
        _usage("dedicatedVCpus", "Dedicated vCPUs", 0, _DEDICATED_LIMIT),
        _usage("cloudServices", "Cloud Services", 0, _SCALE_SET_LIMIT),
        _usage(
            "lowPriorityCores",
            "Total Regional Low-priority vCPUs",
            cores_in_use(cloud, location, spot=True),
            limit_of("lowPriorityCores"),
        ),
    ]
    for family in dict.fromkeys(size.family for size in SIZES.values()):
        label = family.removeprefix("standard").removesuffix("Family")
        used = cores_in_use(cloud, location, family)
        usages.append(_usage(family, f"Standard {label} Family vCPUs", used, limit_of(family)))
    return Answer(200, {"value": usages})


def _usage(name: str, label: str, current: int, limit: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "unit": "Count",
        "currentValue": current,
        "name": {"value": name, "localizedValue": label},
    }
