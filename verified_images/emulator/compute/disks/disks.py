"""Managed disks, made by a call of their own. Source: Azure OpenAPI, DiskRP, and recorded exchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.creation import GIBIBYTE, changeable, fill_defaults, new_disk
from verified_images.emulator.compute.disks.frozen_files import (
    Part,
    files_of,
    grow,
    new_disk_path,
    take_content,
)
from verified_images.emulator.compute.disks.kind import DiskKind, fetch_blob, find_source_blob
from verified_images.emulator.compute.disks.speeds import adjustable_defaults, speed_of
from verified_images.emulator.compute.images.marketplace import find_platform_image_by_id
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.compute.shown_since import DISKS, Since
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/disks"
_SKUS = (
    "Standard_LRS",
    "Premium_LRS",
    "StandardSSD_LRS",
    "UltraSSD_LRS",
    "Premium_ZRS",
    "StandardSSD_ZRS",
    "PremiumV2_LRS",
)


class Disks(DiskKind):
    """Microsoft.Compute/disks."""

    type: ClassVar[str] = TYPE
    noun: ClassVar[str] = "Disk"
    shown_since: ClassVar[Since] = DISKS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the creation data and fill in the defaults."""
        if existing:
            return _updated(cloud, existing, body)
        disk = new_disk(cloud, request.id, body, "disk")
        find_source_blob(cloud, request, disk)
        disk.body["sku"] = _sku(body.get("sku") or {})
        disk.body["properties"] = disk_defaults(disk.properties, disk.body["sku"]["name"])
        if size := disk.hidden.get("upload"):
            disk.properties["diskState"] = "ReadyToUpload"
            disk.properties["creationData"]["uploadSizeBytes"] = size
        disk.hidden["path"] = str(new_disk_path(cloud))
        return disk

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the disk's file, or grow it."""
        size = resource.properties["diskSizeGB"] * GIBIBYTE
        if resource.hidden.get("made"):
            grow(cloud, resource.id, size)
            return
        if resource.hidden.get("upload"):
            return
        base = _take_base(cloud, resource)
        with cloud.store.changing(resource.id) as found:
            if found:
                size = found.properties["diskSizeGB"] * GIBIBYTE
                cloud.hypervisor.create_disk(Path(found.hidden["path"]), base=base, size_bytes=size)
                found.hidden["made"] = True

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a machine has the disk, too."""
        if owner := resource.body.get("managedBy"):
            raise ArmError(409, "OperationNotAllowed", f"Disk {resource.id.name} is attached to VM {owner}.")
        super().check_delete(cloud, resource)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the disk's own file, too."""
        cloud.hypervisor.delete_disk(Path(resource.hidden["path"]))
        super().dispose(cloud, resource)


def _take_base(cloud: Cloud, disk: Resource) -> Path | None:
    """Let a new disk stand on its source; give the file below it, None for an empty disk."""
    if "blob" in disk.hidden:
        fetch_blob(cloud, disk)
    elif image := disk.hidden.get("platform_image"):
        return find_platform_image_by_id(cloud, image).open_disk()
    elif source := disk.hidden["source"]:
        take_content(cloud, Part(ResourceId.parse(source), disk.hidden.get("lun")), disk.id)
    found = cloud.store.find(disk.id)
    return Path(files_of(found)[0]) if found and files_of(found) else None


def disk_defaults(properties: dict[str, Any], sku: str = "Standard_LRS") -> dict[str, Any]:
    """Give a disk's properties with those that Azure fills in."""
    adjustable = adjustable_defaults(sku, properties["creationData"])
    filled = speed_of(sku, properties["diskSizeGB"]) | adjustable | properties
    return fill_defaults(filled | {key: adjustable[key] for key in ("creationData",) if key in adjustable})


def _sku(given: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    name = given.get("name") or (before or {}).get("name") or "Standard_LRS"
    known = {spelt.lower(): spelt for spelt in _SKUS}
    if name.lower() not in known:
        raise invalid_parameter(
            "sku.name", f"The value '{name}' of parameter 'sku.name' is not one of: {', '.join(_SKUS)}."
        )
    name = known[name.lower()]
    return {"name": name, "tier": {"UltraSSD_LRS": "Ultra"}.get(name, name.partition("_")[0])}


def _updated(cloud: Cloud, existing: Resource, body: dict[str, Any]) -> Resource:
    given = changeable(existing, body)
    old = existing.properties["diskSizeGB"]
    size = given.get("diskSizeGB") or old
    if size < old:
        raise invalid_parameter("disk.diskSizeGB", "New disk size should be greater than or equal to the current one.")
    sku = _sku(body.get("sku") or {}, existing.body["sku"])
    owner = cloud.store.find(existing.body.get("managedBy") or "")
    if owner and power_of(cloud, owner) != "deallocated":
        _check_online_change(existing, owner, grows=size > old, sku_changes=sku["name"] != existing.body["sku"]["name"])
    if size > old:
        disk_access.check_no_access(cloud, existing)
    kept = {key: value for key, value in existing.properties.items() if key != "tier"}
    changed = {key: value for key, value in given.items() if value != existing.properties.get(key)}
    is_as_before = size == old and sku["name"] == existing.body["sku"]["name"]
    speed = {} if is_as_before else speed_of(sku["name"], size)
    kept = existing.properties if is_as_before else kept
    merged = {**kept, **speed, **changed, "diskSizeGB": size, "diskSizeBytes": size * GIBIBYTE}
    return Resource(existing.id, {**existing.body, **body, "sku": sku, "properties": merged}, existing.hidden)


def _check_online_change(disk: Resource, owner: Resource, *, grows: bool, sku_changes: bool) -> None:
    if grows:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot resize disk {disk.id.name} while it is attached to running VM {owner.id}. Resizing a disk of an "
            "Azure Virtual Machine requires the virtual machine to be deallocated. Please stop your VM and retry the "
            "operation.",
        )
    if sku_changes:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot change the sku of disk {disk.id.name} while it is attached to running VM {owner.id}. Deallocate "
            "the VM and retry the operation.",
        )
