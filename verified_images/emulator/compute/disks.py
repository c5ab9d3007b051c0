"""Managed disks, made by a call of their own or with a machine. Source: Azure OpenAPI, DiskRP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

GIBIBYTE = 1024**3
TYPE = "Microsoft.Compute/disks"


class Disks(Kind):
    """Microsoft.Compute/disks."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(
        DISKS,
        created=(202, "Updating"),
        updated=(202, "Updating"),
        location_on_put=True,
        retry_write=2,
        retry_delete=10,
    )

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the creation data and fill in the defaults."""
        properties = dict(body.get("properties") or {})
        if existing:
            return _updated(existing, body, properties)
        creation = properties.get("creationData") or {}
        source = _check_creation(cloud, creation, properties)
        if source:
            for key in ("osType", "hyperVGeneration", "diskSizeGB"):
                if key in source.properties:
                    properties.setdefault(key, source.properties[key])
        disk = Resource(request.id, {**body, "properties": _defaults(properties)})
        disk.body.setdefault("sku", {"name": "Standard_LRS"})
        disk.hidden = {"path": str(new_disk_path(cloud)), "copy_of": str(source.id) if source else ""}
        return disk

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the disk's file, or grow it."""
        path, size = Path(resource.hidden["path"]), resource.properties["diskSizeGB"] * GIBIBYTE
        if resource.hidden.get("made"):
            return
        base = None
        if resource.hidden["copy_of"]:
            base = freeze(cloud, Path(cloud_disk(cloud, resource.hidden["copy_of"]).hidden["path"]))
        cloud.hypervisor.create_disk(path, base=base, size_bytes=size)
        with cloud.store.lock:
            resource.hidden |= {"made": True, "base": str(base) if base else ""}
            cloud.store.put(resource)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a machine has the disk."""
        del cloud
        if owner := resource.body.get("managedBy"):
            raise ArmError(409, "OperationNotAllowed", f"Disk {resource.id.name} is attached to VM {owner}.")

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the disk's file, and the frozen one below it when nothing else needs it."""
        cloud.hypervisor.delete_disk(Path(resource.hidden["path"]))
        if base := resource.hidden.get("base"):
            release(cloud, base, besides=resource)


def _check_creation(cloud: Cloud, creation: dict[str, Any], properties: dict[str, Any]) -> Resource | None:
    option = creation.get("createOption")
    if not option:
        raise missing_parameter("disk.creationData.createOption")
    if option == "Copy":
        if not creation.get("sourceResourceId"):
            raise missing_parameter("disk.creationData.sourceResourceId")
        return cloud_disk(cloud, creation["sourceResourceId"])
    if option != "Empty":
        raise invalid_parameter(
            "disk.creationData.createOption", f"The value '{option}' of parameter 'createOption' is not supported."
        )
    if not properties.get("diskSizeGB"):
        raise missing_parameter("disk.diskSizeGB")
    return None


def cloud_disk(cloud: Cloud, identifier: str) -> Resource:
    """Give the disk or snapshot with an id, or refuse with 404."""
    disk = cloud.store.find(identifier)
    if disk is None:
        raise resource_not_found(ResourceId.parse(identifier))
    return disk


def _defaults(properties: dict[str, Any]) -> dict[str, Any]:
    size = properties["diskSizeGB"]
    return {
        **properties,
        "diskSizeBytes": size * GIBIBYTE,
        "diskIOPSReadWrite": properties.get("diskIOPSReadWrite", 500),
        "diskMBpsReadWrite": properties.get("diskMBpsReadWrite", 60),
        "encryption": properties.get("encryption") or {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": properties.get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": properties.get("publicNetworkAccess", "Enabled"),
        "timeCreated": datetime.now(UTC).isoformat(),
        "diskState": "Unattached",
        "uniqueId": str(uuid.uuid4()),
    }


def _updated(existing: Resource, body: dict[str, Any], properties: dict[str, Any]) -> Resource:
    old = existing.properties
    size = properties.get("diskSizeGB") or old["diskSizeGB"]
    if size < old["diskSizeGB"]:
        raise invalid_parameter("disk.diskSizeGB", "New disk size should be greater than or equal to the current one.")
    merged = {**old, **properties, "diskSizeGB": size, "diskSizeBytes": size * GIBIBYTE}
    return Resource(existing.id, {**existing.body, **body, "properties": merged}, existing.hidden)


def new_disk_path(cloud: Cloud) -> Path:
    """Give a path for the file of a new disk."""
    return _unused(cloud.folder / "disks", ".disk")


def freeze(cloud: Cloud, disk: Path) -> Path:
    """Freeze a disk's content without copying it and give the read-only file that holds it."""
    image = _unused(cloud.folder / "images", ".image")
    cloud.hypervisor.freeze_disk(disk, image)
    return image


def _unused(folder: Path, suffix: str) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{uuid.uuid4()}{suffix}"


def release(cloud: Cloud, image: str, *, besides: Resource) -> None:
    """Delete a frozen file unless a resource other than ``besides`` still stands on it."""
    with cloud.store.lock:
        for resource in cloud.store.select():
            if resource.id.key != besides.id.key and image in {
                resource.hidden.get("image"),
                resource.hidden.get("base"),
            }:
                return
    cloud.hypervisor.delete_disk(Path(image))


def make_machine_disk(  # noqa: PLR0913 - a disk's facts
    cloud: Cloud,
    identifier: ResourceId,
    location: str,
    *,
    owner: ResourceId,
    base: Path | None,
    size_gb: int,
    sku: str,
    properties: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> Resource:
    """Make a disk as part of making a machine: its resource, attached to ``owner``, and its file."""
    creation: dict[str, Any] = {"createOption": "FromImage" if base else "Empty"}
    disk = Resource(
        identifier,
        {
            "name": identifier.name,
            "id": str(identifier),
            "type": TYPE,
            "location": location,
            **({"tags": tags} if tags else {}),
            "sku": {"name": sku, "tier": sku.partition("_")[0]},
            "managedBy": str(owner),
            "properties": {
                **_defaults({"creationData": creation, "diskSizeGB": size_gb, **(properties or {})}),
                "diskState": "Attached",
                "provisioningState": "Succeeded",
            },
        },
        {"path": str(new_disk_path(cloud)), "made": True, "base": str(base) if base else ""},
    )
    cloud.store.put(disk)
    cloud.hypervisor.create_disk(Path(disk.hidden["path"]), base=base, size_bytes=size_gb * GIBIBYTE)
    return disk


def set_disk_owner(cloud: Cloud, identifier: str, owner: ResourceId | None, state: str) -> None:
    """Attach a disk to a machine or detach it; ``state`` is its diskState."""
    with cloud.store.lock:
        if disk := cloud.store.find(identifier):
            disk.body.pop("managedBy", None)
            if owner:
                disk.body["managedBy"] = str(owner)
            disk.properties["diskState"] = state
            cloud.store.put(disk)
