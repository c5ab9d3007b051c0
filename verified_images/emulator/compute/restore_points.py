"""Collections of restore points of a machine, and the points. Source: Azure OpenAPI, ComputeRP; recorded exchanges.

A point describes the machine as it was; the disks' content is not kept, so that no disk can be restored from it.
"""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks.creation import parse_id
from verified_images.emulator.compute.shown_since import with_agent_updates
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

COLLECTION_TYPE = "Microsoft.Compute/restorePointCollections"
TYPE = "Microsoft.Compute/restorePointCollections/restorePoints"
_MODES = ("CrashConsistent", "FileSystemConsistent", "ApplicationConsistent")
_DISK_KEYS = ("lun", "osType", "name", "diskSizeGB", "caching")


class RestorePointCollections(Kind):
    """Microsoft.Compute/restorePointCollections."""

    type: ClassVar[str] = COLLECTION_TYPE
    style: ClassVar[Style] = Style(COMPUTE, created=(201, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "Restore Point Collection"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the source: a machine, or another collection, which stays."""
        given = (body.get("properties") or {}).get("source") or {}
        if not given.get("id"):
            raise missing_parameter("restorePointCollection.source.id")
        if existing and str(given["id"]).lower() != existing.properties["source"]["id"].lower():
            raise ArmError(
                409, "PropertyChangeNotAllowed", "Changing property 'source.id' is not allowed.", target="source.id"
            )
        source = _existing(cloud, given["id"], "properties.source.id")
        made = existing.properties if existing else {"restorePointCollectionId": str(uuid.uuid4())}
        properties = {**made, "source": {"location": source.location, "id": given["id"]}}
        return Resource(request.id, {**body, "properties": properties})

    def is_synchronous(self, resource: Resource, existing: Resource | None) -> bool:
        """Tell that a write is done at once; only a deletion takes its time."""
        del resource, existing
        return True

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the collection; with ``$expand=restorePoints`` its points, too."""
        if request.query.get("$expand", "").lower() != "restorepoints":
            return resource.body
        points = [_point_body(each, request) for each in cloud.store.select(TYPE, under=resource.id)]
        return {**resource.body, "properties": {**resource.properties, "restorePoints": points}}


class RestorePoints(Kind):
    """Microsoft.Compute/restorePointCollections/restorePoints."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE)
    noun: ClassVar[str] = "Restore Point"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES
    tracked: ClassVar[bool] = False

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Describe the machine as it is, or take over what another point says of it."""
        if existing:
            raise ArmError(409, "OperationNotAllowed", f"Restore point '{request.id.name}' cannot be changed.")
        given = body.get("properties") or {}
        mode = given.get("consistencyMode") or _MODES[1]
        if mode not in _MODES:
            raise invalid_parameter("consistencyMode", f"The value '{mode}' of parameter 'consistencyMode' is invalid.")
        properties: dict[str, Any] = {"consistencyMode": mode, "timeCreated": datetime.now(UTC).isoformat()}
        if copied := (given.get("sourceRestorePoint") or {}).get("id"):
            source = _existing(cloud, copied, "properties.sourceRestorePoint.id")
            metadata = copy.deepcopy(source.properties["sourceMetadata"])
            _name_sources(metadata)
            properties |= {
                "sourceRestorePoint": {"id": copied},
                "consistencyMode": source.properties["consistencyMode"],
            }
        else:
            metadata = _describe(self._machine(cloud, request), given.get("excludeDisks") or [])
        for key in ("excludeDisks",):
            if given.get(key):
                properties[key] = given[key]
        return Resource(request.id, {"properties": {"sourceMetadata": metadata, **properties}})

    def settle(self, cloud: Cloud, resource: Resource) -> None:
        """Name the point of each disk, which shows once it is there."""
        del cloud
        storage = resource.properties["sourceMetadata"]["storageProfile"]
        for disk in (storage["osDisk"], *storage["dataDisks"]):
            name = f"{disk['name']}_{uuid.uuid4()}"
            source = disk.pop("diskRestorePoint", {})
            disk["diskRestorePoint"] = {
                "id": str(resource.id.child("diskRestorePoints", name)),
                "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
                **source,
            }

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the point without what shows only once it is there."""
        body = self.render(cloud, resource, request)
        properties = {key: value for key, value in body["properties"].items() if key != "consistencyMode"}
        storage = properties["sourceMetadata"]["storageProfile"]
        shown = {
            "osDisk": _without_point(storage["osDisk"]),
            "dataDisks": [_without_point(disk) for disk in storage["dataDisks"]],
        }
        properties["sourceMetadata"] = {**properties["sourceMetadata"], "storageProfile": {**storage, **shown}}
        return {**body, "properties": properties}

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the point, without a type as Azure does."""
        del cloud
        return _point_body(resource, request)

    def _machine(self, cloud: Cloud, request: Request) -> Resource:
        collection = request.id.parent and cloud.store.find(request.id.parent)
        if not collection:
            raise resource_not_found(request.id)
        return _existing(cloud, collection.properties["source"]["id"], "properties.source.id")


def _point_body(point: Resource, request: Request) -> dict[str, Any]:
    metadata = dict(point.properties["sourceMetadata"])
    if profile := metadata.get("osProfile"):
        metadata["osProfile"] = with_agent_updates(profile, request.api_version, metadata["location"])
    body = {key: value for key, value in point.body.items() if key not in {"type", "location"}}
    return {**body, "properties": {**point.properties, "sourceMetadata": metadata}}


def _existing(cloud: Cloud, identifier: str, path: str) -> Resource:
    found = cloud.store.find(identifier)
    if found is None:
        raise resource_not_found(parse_id(identifier, path))
    return found


def _describe(machine: Resource, excluded: list[dict[str, Any]]) -> dict[str, Any]:
    left_out = {str(each.get("id", "")).lower() for each in excluded}
    properties = machine.properties
    storage = properties["storageProfile"]
    disks = [_disk(disk) for disk in storage.get("dataDisks") or [] if _disk_id(disk) not in left_out]
    described = {
        "vmId": properties["vmId"],
        "location": machine.location,
        "hardwareProfile": properties["hardwareProfile"],
        "storageProfile": {
            "osDisk": _disk(storage["osDisk"]),
            "dataDisks": disks,
            **{key: storage[key] for key in ("diskControllerType",) if key in storage},
        },
        "hyperVGeneration": machine.hidden.get("generation", "V1"),
    }
    for key in ("osProfile", "securityProfile", "diagnosticsProfile", "licenseType"):
        if properties.get(key):
            described[key] = properties[key]
    return copy.deepcopy(described)


def _disk(disk: dict[str, Any]) -> dict[str, Any]:
    kept = {key: disk[key] for key in _DISK_KEYS if key in disk}
    managed = {
        key: value for key, value in (disk.get("managedDisk") or {}).items() if key in {"id", "storageAccountType"}
    }
    return {**kept, "managedDisk": managed}


def _without_point(disk: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in disk.items() if key != "diskRestorePoint"}


def _name_sources(metadata: dict[str, Any]) -> None:
    """Let what a point is copied from stand in the place of each disk's own point, which is named later."""
    storage = metadata["storageProfile"]
    for disk in (storage["osDisk"], *storage["dataDisks"]):
        if point := disk.get("diskRestorePoint"):
            disk["diskRestorePoint"] = {"sourceDiskRestorePoint": {"id": point["id"]}}


def _disk_id(disk: dict[str, Any]) -> str:
    return str((disk.get("managedDisk") or {}).get("id", "")).lower()
