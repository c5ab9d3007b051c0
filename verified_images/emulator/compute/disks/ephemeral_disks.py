"""Ephemeral OS disks, which lie on the machine's host. Source: Azure, "Ephemeral OS disks for Azure VMs"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter

if TYPE_CHECKING:
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.store import Resource

_PLACES = {"cachedisk": "CacheDisk", "resourcedisk": "ResourceDisk", "nvmedisk": "NvmeDisk"}


def is_ephemeral(machine: Resource) -> bool:
    """Tell whether the OS disk of a machine or instance is ephemeral."""
    return bool(machine.properties["storageProfile"]["osDisk"].get("diffDiskSettings"))


def check_ephemeral(disk: dict[str, Any], size: Size) -> None:
    """Check an ephemeral OS disk against the size's cache or temporary disk, and fill in where it lies, in place.

    Raises:
        ArmError: 400 InvalidParameter.
    """
    settings = dict(disk["diffDiskSettings"])
    if settings.get("option", "Local") != "Local":
        raise invalid_parameter("diffDiskSettings.option", "The value of parameter diffDiskSettings.option is invalid.")
    if disk.get("caching") != "ReadOnly":
        raise invalid_parameter(
            "osDisk.caching", "The caching of an ephemeral OS disk must be ReadOnly; another value is not supported."
        )
    place = str(settings.get("placement") or ("CacheDisk" if size.cached_gb >= disk["diskSizeGB"] else "ResourceDisk"))
    if place.lower() not in _PLACES:
        raise invalid_parameter(
            "diffDiskSettings.placement", f"The value '{place}' of parameter 'diffDiskSettings.placement' is invalid."
        )
    place = _PLACES[place.lower()]
    room = {"CacheDisk": size.cached_gb, "ResourceDisk": size.resource_disk_gb, "NvmeDisk": 0}[place]
    if disk["diskSizeGB"] > room:
        raise ArmError(
            400,
            "InvalidParameter",
            f"OS disk of Ephemeral VM with size greater than {room} GB is not allowed for VM size {size.name} when the "
            f"DiffDiskPlacement is {place}.",
            target="osDisk.diskSizeGB",
        )
    disk["diffDiskSettings"] = {"option": "Local", "placement": place}
