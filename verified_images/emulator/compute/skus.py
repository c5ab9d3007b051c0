"""What is offered where: the list of SKUs, and the sizes of a location. Source: Azure OpenAPI, Skus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.sizes import SIZES, Size
from verified_images.emulator.locations import LOCATIONS, check_known_location, normalize_location
from verified_images.emulator.resource_manager.filters import wanted_value
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.Compute"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _PROVIDER + "/skus", _list)
    yield Route("GET", _PROVIDER + "/locations/{location}/vmSizes", _list_sizes)


def _list(cloud: Cloud, request: Request) -> Answer:
    del cloud
    wanted = wanted_value(request.query.get("$filter"), "location")
    names = [normalize_location(wanted)] if wanted else list(LOCATIONS)
    return Answer(200, {"value": [_sku(size, name) for name in names if name in LOCATIONS for size in SIZES.values()]})


def _sku(size: Size, location: str) -> dict[str, Any]:
    _, _, short = size.name.partition("_")
    capabilities = {
        "MaxResourceVolumeMB": str(size.resource_disk_gb * 1024),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.cpus),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": ",".join(size.generations),
        "MemoryGB": f"{size.memory_gb:g}",
        "MaxDataDiskCount": str(size.max_data_disks),
        "CpuArchitectureType": "x64",
        "LowPriorityCapable": "True",
        "PremiumIO": str(size.premium),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.cpus),
        "EncryptionAtHostSupported": "True",
        "AcceleratedNetworkingEnabled": str(size.cpus > 1),
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": "2",
    }
    if "V2" not in size.generations:
        capabilities["TrustedLaunchDisabled"] = "True"
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": short,
        "family": size.family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": ["1", "2", "3"], "zoneDetails": []}],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": [],
    }


def _list_sizes(cloud: Cloud, request: Request) -> Answer:
    del cloud
    return sizes_answer(request.parameters["location"])


def sizes_answer(location: str, *, generation: str = "") -> Answer:
    """Give the answer of the calls that list the sizes of a location, or those that boot a generation."""
    check_known_location(location)
    fitting = [size for size in SIZES.values() if not generation or generation in size.generations]
    return Answer(200, {"value": [_size(size) for size in fitting]})


def _size(size: Size) -> dict[str, Any]:
    return {
        "name": size.name,
        "numberOfCores": size.cpus,
        "osDiskSizeInMB": 1047552,
        "resourceDiskSizeInMB": size.resource_disk_gb * 1024,
        "memoryInMB": int(size.memory_gb * 1024),
        "maxDataDiskCount": size.max_data_disks,
    }
