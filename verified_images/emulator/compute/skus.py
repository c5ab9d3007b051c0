"""What is offered where: the list of SKUs, and the sizes of a location. Source: Azure OpenAPI, Skus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.sizes import SIZES, Size
from verified_images.emulator.locations import LOCATIONS, ZONAL_LOCATIONS, check_known_location, normalize_location
from verified_images.emulator.resource_manager.filters import wanted_value
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.offering import Restriction

ZONES = ("1", "2", "3")
_LEAST_DISK_GB = 30
_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.Compute"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _PROVIDER + "/skus", _list)
    yield Route("GET", _PROVIDER + "/locations/{location}/vmSizes", _list_sizes)


def _list(cloud: Cloud, request: Request) -> Answer:
    wanted = wanted_value(request.query.get("$filter"), "location")
    names = [normalize_location(wanted)] if wanted else list(LOCATIONS)
    known = [name for name in names if name in LOCATIONS]
    return Answer(200, {"value": [_sku(cloud, size, name) for name in known for size in SIZES.values()]})


def _sku(cloud: Cloud, size: Size, location: str) -> dict[str, Any]:
    tier, _, short = size.name.partition("_")
    zones = list(ZONES) if location in ZONAL_LOCATIONS else []
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": tier,
        "size": short,
        "family": size.family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": zones, "zoneDetails": []}],
        "capabilities": [{"name": name, "value": value} for name, value in _capabilities(size).items()],
        "restrictions": [
            _restriction(each, location) for each in cloud.offering.restrictions if each.concerns(size.name, location)
        ],
    }


def _capabilities(size: Size) -> dict[str, str]:
    capabilities = {
        "MaxResourceVolumeMB": str(size.resource_disk_gb * 1024),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.cpus),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": ",".join(size.generations),
        "MemoryGB": f"{size.memory_gb:g}",
        "MaxDataDiskCount": str(size.max_data_disks),
        "CpuArchitectureType": "x64",
        "LowPriorityCapable": str(size.spot),
        "PremiumIO": str(size.premium),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.cpus),
        "vCPUsPerCore": "1" if size.cpus == 1 else "2",
        "EphemeralOSDiskSupported": str(size.premium and max(size.cached_gb, size.resource_disk_gb) > _LEAST_DISK_GB),
        "EncryptionAtHostSupported": "True",
        "AcceleratedNetworkingEnabled": str(size.cpus > 1),
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": "2",
    }
    if size.cached_gb:
        capabilities["CachedDiskBytes"] = str(size.cached_gb * 1024**3)
    if not size.trusted_launch:
        capabilities["TrustedLaunchDisabled"] = "True"
    if size.confidential:
        capabilities["ConfidentialComputingType"] = "SNP"
    return capabilities


def _restriction(restriction: Restriction, location: str) -> dict[str, Any]:
    where: dict[str, Any] = {"locations": [location]}
    if restriction.zones:
        where["zones"] = list(restriction.zones)
    return {
        "type": "Zone" if restriction.zones else "Location",
        "values": [location],
        "restrictionInfo": where,
        "reasonCode": restriction.reason,
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
