"""Managed disks, made by a call of their own. Source: Azure OpenAPI, DiskRP, and recorded exchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.creation import GIBIBYTE, as_given, changeable, fill_defaults, new_disk
from verified_images.emulator.compute.disks.frozen_files import (
    Part,
    files_of,
    grow,
    import_vhd,
    new_disk_path,
    release,
    take_content,
)
from verified_images.emulator.compute.disks.speeds import speed_of
from verified_images.emulator.compute.images.marketplace import find_platform_image_by_id
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.store import Resource
from verified_images.emulator.vhd import VhdError, read_size_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Route
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/disks"
STYLE = Style(
    DISKS,
    created=(202, "Updating"),
    updated=(202, "Updating"),
    location_on_put=True,
    retry_write=2,
)
_SKUS = (
    "Standard_LRS",
    "Premium_LRS",
    "StandardSSD_LRS",
    "UltraSSD_LRS",
    "Premium_ZRS",
    "StandardSSD_ZRS",
    "PremiumV2_LRS",
)


class Disks(Kind):
    """Microsoft.Compute/disks."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = STYLE
    noun: ClassVar[str] = "Disk"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS

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

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of access to the bytes."""
        yield from disk_access.routes(self)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the disk, without an access whose time is up."""
        del request
        disk_access.expire(cloud, resource)
        found = cloud.store.find(resource.id)
        return (found or resource).body

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give what the client sent: what Azure fills in shows only afterwards."""
        del cloud
        return as_given(resource, request.json(), request.api_version)

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
        """Refuse while a machine has the disk, or somebody has access to it."""
        if owner := resource.body.get("managedBy"):
            raise ArmError(409, "OperationNotAllowed", f"Disk {resource.id.name} is attached to VM {owner}.")
        disk_access.check_no_access(cloud, resource)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the disk's file, and the frozen ones below it that nothing else needs."""
        disk_access.forget_access(cloud, resource)
        cloud.hypervisor.delete_disk(Path(resource.hidden["path"]))
        release(cloud, resource)


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


def find_source_blob(cloud: Cloud, request: Request, disk: Resource) -> None:
    """Find the VHD that a new disk or snapshot is to be imported from, and take its size.

    Raises:
        ArmError: 400: there is no such blob here, or it is no VHD.
    """
    if url := disk.hidden.get("blob"):
        file = disk_access.find_blob(cloud, request, url)
        try:
            size = -(-read_size_of_file(file) // GIBIBYTE)
        except VhdError as error:
            raise ArmError(400, "InvalidVhd", str(error), target="sourceUri") from error
        disk.hidden["blob"] = str(file)
        disk.properties["diskSizeGB"] = max(size, disk.properties.get("diskSizeGB") or 0)
        disk.properties["creationData"] = {
            **disk.properties["creationData"],
            "sourceUri": url.partition("?")[0],
        }


def fetch_blob(cloud: Cloud, disk: Resource) -> int:
    """Let a disk or snapshot stand on what a VHD holds; give the disk's size in GiB."""
    import_vhd(cloud, Path(disk.hidden["blob"]), disk.id)
    return int(disk.properties["diskSizeGB"])


def disk_defaults(properties: dict[str, Any], sku: str = "Standard_LRS") -> dict[str, Any]:
    """Give a disk's properties with those that Azure fills in."""
    return fill_defaults(speed_of(sku, properties["diskSizeGB"]) | properties)


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
