"""vCPU quotas: what a subscription uses in a location and how much it may. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.sizes import SIZES, find_size
from verified_images.emulator.locations import normalize_location
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.sizes import Size

MACHINES = "Microsoft.Compute/virtualMachines"
SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"
CORE_LIMIT = 100
_MACHINE_LIMIT = 25000
_SCALE_SET_LIMIT = 2500


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages", _list)


def cores_in_use(cloud: Cloud, location: str, family: str | None = None) -> int:
    """Count the vCPUs of a location's machines, all of them or those of a size family."""
    counted = 0
    for machine in cloud.store.select(MACHINES):
        size = find_size(machine.properties["hardwareProfile"]["vmSize"])
        if machine.location == location and family in {None, size.family}:
            counted += size.cpus
    for scale_set in cloud.store.select(SCALE_SETS):
        sku = scale_set.body.get("sku") or {}
        # The instances of a flexible one are virtual machines, which are counted as such.
        uniform = scale_set.properties.get("orchestrationMode") != "Flexible"
        if uniform and scale_set.location == location and sku.get("name"):
            size = find_size(sku["name"])
            counted += size.cpus * int(sku.get("capacity", 0)) if family in {None, size.family} else 0
    return counted


def check_quota(cloud: Cloud, location: str, size_name: str, count: int, *, freed: Size | None = None) -> None:
    """Refuse machines that the quota of cores has no room for; ``freed`` is the size that a machine gives up.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    size = find_size(size_name)
    needed, used = size.cpus * count - (freed.cpus if freed else 0), cores_in_use(cloud, location)
    if used + needed > CORE_LIMIT:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. "
            f"Additional details - Deployment Model: Resource Manager, Location: {location}, Current Limit: "
            f"{CORE_LIMIT}, Current Usage: {used}, Additional Required: {needed}, (Minimum) New Limit Required: "
            f"{used + needed}. Setup Alerts when Quota reaches threshold. Learn more at "
            "https://aka.ms/quotamonitoringalerting . Submit a request for Quota increase at "
            "https://aka.ms/ProdportalCRP/ by specifying parameters listed in the 'Details' section for deployment "
            "to succeed.",
        )


def _list(cloud: Cloud, request: Request) -> Answer:
    location = normalize_location(request.parameters["location"])
    machines = sum(1 for machine in cloud.store.select(MACHINES) if machine.location == location)
    scale_sets = sum(1 for scale_set in cloud.store.select(SCALE_SETS) if scale_set.location == location)
    usages = [
        _usage("cores", "Total Regional vCPUs", cores_in_use(cloud, location), CORE_LIMIT),
        _usage("virtualMachines", "Virtual Machines", machines, _MACHINE_LIMIT),
        _usage("virtualMachineScaleSets", "Virtual Machine Scale Sets", scale_sets, _SCALE_SET_LIMIT),
        _usage("lowPriorityCores", "Total Regional Low-priority vCPUs", 0, CORE_LIMIT),
    ]
    for family in dict.fromkeys(size.family for size in SIZES.values()):
        label = family.removeprefix("standard").removesuffix("Family")
        used = cores_in_use(cloud, location, family)
        usages.append(_usage(family, f"Standard {label} Family vCPUs", used, CORE_LIMIT))
    return Answer(200, {"value": usages})


def _usage(name: str, label: str, current: int, limit: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "unit": "Count",
        "currentValue": current,
        "name": {"value": name, "localizedValue": label},
    }
