"""Managed disks and snapshots, made by a call of their own. Source: Azure OpenAPI, DiskRP, and recorded exchanges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.frozen_files import files_of, grow, new_disk_path, release, take_content
from verified_images.emulator.compute.guests import power_of
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

GIBIBYTE = 1024**3
TYPE = "Microsoft.Compute/disks"
SNAPSHOT_TYPE = "Microsoft.Compute/snapshots"
_LARGEST_GIB = 32767
_STYLE = Style(
    DISKS,
    created=(202, "Updating"),
    updated=(202, "Updating"),
    location_on_put=True,
    retry_write=2,
    retry_delete=10,
)
_COPIED = ("osType", "hyperVGeneration", "diskSizeGB", "supportedCapabilities", "securityProfile")
_COPY_OPTIONS = {"Copy", "FromImage", "Restore"}


class Disks(Kind):
    """Microsoft.Compute/disks."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = _STYLE
    noun: ClassVar[str] = "Disk"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the creation data and fill in the defaults."""
        if existing:
            return _updated(cloud, existing, body)
        disk = _new(cloud, request.id, body)
        disk.body.setdefault("sku", {"name": "Standard_LRS"})
        disk.body["sku"] = {**disk.body["sku"], "tier": disk.body["sku"]["name"].partition("_")[0]}
        disk.body["properties"] = disk_defaults(disk.properties)
        disk.hidden["path"] = str(new_disk_path(cloud))
        return disk

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give what the client sent: what Azure fills in shows only afterwards."""
        del cloud
        return _as_given(resource, request)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the disk's file, or grow it."""
        size = resource.properties["diskSizeGB"] * GIBIBYTE
        if resource.hidden.get("made"):
            grow(cloud, resource.id, size)
            return
        if source := resource.hidden["source"]:
            take_content(cloud, ResourceId.parse(source), resource.id)
        with cloud.store.changing(resource.id) as found:
            if found:
                base = Path(files_of(found)[0]) if files_of(found) else None
                cloud.hypervisor.create_disk(Path(found.hidden["path"]), base=base, size_bytes=size)
                found.hidden["made"] = True

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a machine has the disk."""
        del cloud
        if owner := resource.body.get("managedBy"):
            raise ArmError(409, "OperationNotAllowed", f"Disk {resource.id.name} is attached to VM {owner}.")

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the disk's file, and the frozen ones below it that nothing else needs."""
        cloud.hypervisor.delete_disk(Path(resource.hidden["path"]))
        release(cloud, resource)


class Snapshots(Kind):
    """Microsoft.Compute/snapshots."""

    type: ClassVar[str] = SNAPSHOT_TYPE
    style: ClassVar[Style] = _STYLE
    noun: ClassVar[str] = "Snapshot"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the creation data and fill in the defaults."""
        if existing:
            merged = {**existing.properties, **_changeable(existing, body)}
            return Resource(existing.id, {**existing.body, **body, "properties": merged}, existing.hidden)
        snapshot = _new(cloud, request.id, body)
        if not snapshot.hidden["source"]:
            raise invalid_parameter(
                "snapshot.creationData.createOption",
                "The value 'Empty' of parameter 'createOption' is not supported for a snapshot.",
            )
        snapshot.body.setdefault("sku", {"name": "Standard_LRS", "tier": "Standard"})
        shown = {"incremental": False, **_defaults(snapshot.properties), "diskState": "Unattached"}
        snapshot.body["properties"] = shown
        return snapshot

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give what the client sent: what Azure fills in shows only afterwards."""
        del cloud
        return _as_given(resource, request)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the source."""
        if resource.hidden.get("ready"):
            return
        size = take_content(cloud, ResourceId.parse(resource.hidden["source"]), resource.id)
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden |= {"ready": True, "size_gb": size}

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the frozen files that nothing else needs."""
        release(cloud, resource)


def _as_given(resource: Resource, request: Request) -> dict[str, Any]:
    given = request.json()
    shown = {key: value for key, value in resource.body.items() if key in {"name", "id", "type", "location", *given}}
    properties = {**(given.get("properties") or {}), "provisioningState": resource.state, "isArmResource": True}
    return {**shown, "properties": properties}


def _new(cloud: Cloud, identifier: ResourceId, body: dict[str, Any]) -> Resource:
    properties = dict(body.get("properties") or {})
    creation = dict(properties.get("creationData") or {})
    source = _source(cloud, creation, properties)
    if source:
        creation["sourceUniqueId"] = source.properties.get("uniqueId", str(uuid.uuid4()))
        own = source.properties if "diskSizeGB" in source.properties else _of_image(source)
        if properties.get("diskSizeGB", own["diskSizeGB"]) < own["diskSizeGB"]:
            raise _too_small(properties["diskSizeGB"], own["diskSizeGB"])
        properties = {**{key: own[key] for key in _COPIED if key in own}, **properties}
    properties["creationData"] = creation
    if not 1 <= properties["diskSizeGB"] <= _LARGEST_GIB:
        raise invalid_parameter(
            "disk.diskSizeGB",
            f"The value '{properties['diskSizeGB']}' of parameter 'disk.diskSizeGB' is out of range. The value must be "
            f"between '1' and '{_LARGEST_GIB}', inclusive.",
        )
    return Resource(identifier, {**body, "properties": properties}, {"source": str(source.id) if source else ""})


def _source(cloud: Cloud, creation: dict[str, Any], properties: dict[str, Any]) -> Resource | None:
    option = creation.get("createOption")
    if not option:
        raise missing_parameter("disk.creationData.createOption")
    if option in _COPY_OPTIONS:
        reference = creation.get("galleryImageReference") or {}
        identifier = creation.get("sourceResourceId") or reference.get("id")
        if not identifier:
            raise missing_parameter("disk.creationData.sourceResourceId")
        return cloud_disk(cloud, identifier)
    if option != "Empty":
        raise invalid_parameter(
            "disk.creationData.createOption", f"The value '{option}' of parameter 'createOption' is not supported."
        )
    if not properties.get("diskSizeGB"):
        raise missing_parameter("disk.diskSizeGB")
    return None


def _of_image(image: Resource) -> dict[str, Any]:
    if not image.hidden.get("ready"):
        raise ArmError(409, "OperationNotAllowed", f"The source '{image.id}' is not ready to be copied.")
    return {
        "diskSizeGB": image.hidden["size_gb"],
        "osType": "Linux",
        "hyperVGeneration": image.hidden.get("generation", "V1"),
    }


def cloud_disk(cloud: Cloud, identifier: str) -> Resource:
    """Give the disk, snapshot or image with an id, or refuse with 404."""
    disk = cloud.store.find(identifier)
    if disk is None:
        raise resource_not_found(ResourceId.parse(identifier))
    return disk


def _defaults(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        **properties,
        "diskSizeBytes": properties["diskSizeGB"] * GIBIBYTE,
        "encryption": properties.get("encryption") or {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": properties.get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": properties.get("publicNetworkAccess", "Enabled"),
        "timeCreated": datetime.now(UTC).isoformat(),
        "diskState": "Unattached",
        "uniqueId": str(uuid.uuid4()),
    }


def disk_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """Give a disk's properties with those that Azure fills in."""
    speed = {"diskIOPSReadWrite": 500, "diskMBpsReadWrite": 60}
    return _defaults(speed | properties)


def _changeable(existing: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """Give the properties of an update, having refused what may not change."""
    given = dict(body.get("properties") or {})
    creation = given.pop("creationData", None) or {}
    before = existing.properties["creationData"]
    if any(key in before and creation[key] != before[key] for key in creation):
        raise ArmError(
            409, "PropertyChangeNotAllowed", "Changing property 'creationData' is not allowed.", target="creationData"
        )
    for key in ("uniqueId", "timeCreated", "diskState", "diskSizeBytes", "provisioningState"):
        given.pop(key, None)
    return given


def _too_small(size: int, source: int) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        f"Disk size {size} GB is smaller than the size of its source, {source} GB: a disk cannot be shrunk.",
        target="diskSizeGB",
    )


def _updated(cloud: Cloud, existing: Resource, body: dict[str, Any]) -> Resource:
    given = _changeable(existing, body)
    old = existing.properties["diskSizeGB"]
    size = given.get("diskSizeGB") or old
    if size < old:
        raise invalid_parameter("disk.diskSizeGB", "New disk size should be greater than or equal to the current one.")
    owner = cloud.store.find(existing.body.get("managedBy") or "")
    if size > old and owner and power_of(cloud, owner) != "deallocated":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot resize disk {existing.id.name} while it is attached to running VM {owner.id}. Resizing a disk of "
            "an Azure Virtual Machine requires the virtual machine to be deallocated. Please stop your VM and retry "
            "the operation.",
        )
    merged = {**existing.properties, **given, "diskSizeGB": size, "diskSizeBytes": size * GIBIBYTE}
    sku = {**existing.body["sku"], **(body.get("sku") or {})}
    return Resource(existing.id, {**existing.body, **body, "sku": sku, "properties": merged}, existing.hidden)
