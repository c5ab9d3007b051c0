"""What a new disk or snapshot is made of: its creationData, checked, and what Azure fills in.

Source: Azure OpenAPI, DiskRP, and recorded exchanges.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.compute.disks.speeds import is_adjustable
from verified_images.emulator.compute.images.marketplace import find_platform_image_by_id
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource
from verified_images.emulator.vhd import FOOTER_SIZE, MEBIBYTE

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

GIBIBYTE = 1024**3
_LARGEST_GIB = 32767
_COPIED = (
    "osType",
    "hyperVGeneration",
    "diskSizeGB",
    "supportedCapabilities",
    "securityProfile",
    "purchasePlan",
    "supportsHibernation",
)
_WRITTEN = ("osType", "hyperVGeneration", "creationData", "diskSizeGB")
_SPEEDS = {"diskIOPSReadWrite", "diskMBpsReadWrite"}
_FIRST_OF_RESOURCES = "2023"  # older api-versions show another first answer,
_FIRST_WITH_IDS = "2020-12-01"  # and those before this one not even an id
_LEAST_UPLOAD = 20 * MEBIBYTE + FOOTER_SIZE
_MOST_UPLOAD = 32 * 1024**4 + FOOTER_SIZE
_NOT_EMULATED = {"Restore", "ImportSecure", "UploadPreparedSecure", "CopyFromSanSnapshot", "Attach"}
_CREATE_OPTIONS = {"Empty", "FromImage", "Copy", "CopyStart", "Import", "Upload", *_NOT_EMULATED}


@dataclass(slots=True)
class Origin:
    """Where a new disk's content comes from; nowhere, for an empty one.

    ``hidden`` is what the disk's making needs to know: ``source`` is the id of a resource, ``lun`` that of one of its
    data disks, ``urn`` a Marketplace image, ``blob`` a blob's URL. ``properties`` are what the disk has of it.
    """

    hidden: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    unique_id: str = ""


def new_disk(cloud: Cloud, identifier: ResourceId, body: dict[str, Any], noun: str) -> Resource:
    """Give a new disk or snapshot, its creation data checked and completed; ``noun`` is what errors call it.

    Raises:
        ArmError: 400: the creation data are incomplete or contradict each other; 404: the source does not exist.
    """
    properties = dict(body.get("properties") or {})
    creation = _normalized(dict(properties.get("creationData") or {}))
    origin = _find_origin(cloud, creation, properties, noun)
    if origin.unique_id:
        creation["sourceUniqueId"] = origin.unique_id
    own_size = origin.properties.get("diskSizeGB")
    if own_size and properties.get("diskSizeGB", own_size) < own_size:
        raise _too_small(properties["diskSizeGB"], own_size)
    properties = {**origin.properties, **{key: value for key, value in properties.items() if value is not None}}
    properties["creationData"] = creation
    # The size of a blob is known only once it is found.
    if not 1 <= properties.get("diskSizeGB", 1) <= _LARGEST_GIB:
        raise invalid_parameter(
            f"{noun}.diskSizeGB",
            f"The value '{properties['diskSizeGB']}' of parameter '{noun}.diskSizeGB' is out of range. The value must "
            f"be between '1' and '{_LARGEST_GIB}', inclusive.",
        )
    return Resource(identifier, {**body, "properties": properties}, {"source": "", **origin.hidden})


def fill_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """Give the properties of a disk or snapshot with those that Azure fills in for both."""
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


def changeable(existing: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """Give the properties of an update, having refused what may not change."""
    given = dict(body.get("properties") or {})
    creation = _normalized(given.pop("creationData", None) or {})
    before = existing.properties["creationData"]
    if any(key in before and creation[key] != before[key] for key in creation):
        raise ArmError(
            409, "PropertyChangeNotAllowed", "Changing property 'creationData' is not allowed.", target="creationData"
        )
    for key in ("osType", "hyperVGeneration"):
        if key in existing.properties and given.get(key, existing.properties[key]) != existing.properties[key]:
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{key}' is not allowed.", target=key)
    for key in ("uniqueId", "timeCreated", "diskState", "diskSizeBytes", "provisioningState"):
        given.pop(key, None)
    return given


def as_given(resource: Resource, given: dict[str, Any], request: Request) -> dict[str, Any]:
    """Give a disk or snapshot as the first answer to a write shows it: what the client sent, and little else.

    Of what a PATCH leaves as it was, only what the client may write is shown.
    """
    is_snapshot = resource.id.types[-1].lower() == "snapshots"
    shown = {key: resource.body[key] for key in ("name", "id", "type", "location")}
    if request.method == "PATCH":
        given = {
            **{key: resource.body[key] for key in ("tags", "sku", "zones") if resource.body.get(key)},
            **given,
            "sku": resource.body["sku"],
            "properties": {key: resource.properties[key] for key in _WRITTEN if key in resource.properties}
            | (given.get("properties") or {}),
        }
    shown |= {key: value for key, value in given.items() if key in resource.body and key not in shown}
    kept = set() if is_adjustable(resource.body["sku"]["name"]) else _SPEEDS
    properties = {key: value for key, value in (given.get("properties") or {}).items() if key not in kept}
    shown["properties"] = {**properties, "provisioningState": resource.state}
    if request.api_version < _FIRST_OF_RESOURCES:
        _show_as_before(resource, shown, request.api_version, is_snapshot=is_snapshot)
    return shown


def _show_as_before(resource: Resource, shown: dict[str, Any], api_version: str, *, is_snapshot: bool) -> None:
    del shown["type"]
    shown["properties"]["isArmResource"] = True
    has_id = api_version >= _FIRST_WITH_IDS
    if not has_id:
        del shown["id"]
    if is_snapshot:
        del shown["name"]
        if has_id:
            shown["properties"]["publicNetworkAccess"] = resource.properties["publicNetworkAccess"]
    creation = shown["properties"].get("creationData") or {}
    if unique := resource.properties["creationData"].get("sourceUniqueId"):
        shown["properties"]["creationData"] = {**creation, "sourceUniqueId": unique}


def _normalized(creation: dict[str, Any]) -> dict[str, Any]:
    """Give creation data with a source that was given by ``sourceUri`` where an id is meant, as Azure shows it."""
    uri = str(creation.get("sourceUri") or "")
    if creation.get("createOption") != "Import" and uri.lower().startswith("/subscriptions/"):
        creation = {key: value for key, value in creation.items() if key != "sourceUri"}
        creation["sourceResourceId"] = uri
    return creation


def _find_origin(cloud: Cloud, creation: dict[str, Any], properties: dict[str, Any], noun: str) -> Origin:
    option = creation.get("createOption")
    if not option:
        raise missing_parameter(f"{noun}.creationData.createOption")
    if option not in _CREATE_OPTIONS or (noun == "snapshot" and option not in {"Empty", "Copy", "CopyStart", "Import"}):
        raise invalid_parameter(
            f"{noun}.creationData.createOption",
            f"The value '{option}' of parameter 'createOption' is not supported for a {noun}.",
        )
    if option in _NOT_EMULATED or (noun == "disk" and option == "CopyStart"):
        raise invalid_parameter(
            f"{noun}.creationData.createOption",
            f"The value '{option}' of parameter 'createOption' is not supported by the local Azure.",
        )
    if option == "Import":
        return _blob(creation, properties, noun)
    if option == "Upload":
        return _upload(creation, properties)
    if option == "FromImage":
        return _image(cloud, creation)
    if option == "Empty":
        if not properties.get("diskSizeGB"):
            raise missing_parameter(f"{noun}.diskSizeGB")
        return Origin()
    return _copied(cloud, creation, properties, noun)


def _copied(cloud: Cloud, creation: dict[str, Any], properties: dict[str, Any], noun: str) -> Origin:
    identifier = creation.get("sourceResourceId")
    if not identifier:
        raise missing_parameter(f"{noun}.creationData.sourceResourceId")
    source = existing_resource(cloud, identifier)
    if source.id.types[-1].lower() not in {"disks", "snapshots"}:
        raise invalid_parameter(
            f"{noun}.creationData.sourceResourceId",
            f"The source '{identifier}' of createOption '{creation['createOption']}' must be a disk or a snapshot.",
        )
    if source.properties.get("diskState") in {"ReadyToUpload", "ActiveUpload"}:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Disk {source.id.name} cannot be copied in state {source.properties['diskState']}: its content has not "
            "been uploaded.",
        )
    if creation["createOption"] == "CopyStart" and not (
        properties.get("incremental") and source.properties.get("incremental")
    ):
        raise invalid_parameter(
            f"{noun}.creationData.createOption",
            "CopyStart is only supported for incremental snapshots of incremental snapshots.",
        )
    own = {key: source.properties[key] for key in _COPIED if key in source.properties}
    return Origin({"source": str(source.id)}, own, source.properties.get("uniqueId", ""))


def _image(cloud: Cloud, creation: dict[str, Any]) -> Origin:
    reference = creation.get("galleryImageReference") or creation.get("imageReference") or {}
    identifier = (
        reference.get("id") or reference.get("sharedGalleryImageId") or reference.get("communityGalleryImageId")
    )
    if not identifier:
        raise missing_parameter("disk.creationData.imageReference.id")
    if "/publishers/" in identifier.lower():
        platform = find_platform_image_by_id(cloud, identifier)
        described = {
            "osType": platform.os_type,
            "hyperVGeneration": platform.generation,
            "supportedCapabilities": {"architecture": platform.architecture},
            "diskSizeGB": platform.size_gb,
        }
        return Origin({"platform_image": identifier}, described)
    image = existing_resource(cloud, identifier)
    if not image.hidden.get("ready"):
        raise ArmError(409, "OperationNotAllowed", f"The source '{image.id}' is not ready to be copied.")
    if (lun := reference.get("lun")) is not None:
        disks = {disk["lun"]: disk for disk in image.hidden.get("data_disks") or []}
        if lun not in disks:
            raise invalid_parameter("disk.creationData.imageReference.lun", f"The image has no data disk at LUN {lun}.")
        return Origin({"source": str(image.id), "lun": lun}, {"diskSizeGB": disks[lun]["size_gb"]})
    described = {
        "diskSizeGB": image.hidden["size_gb"],
        "osType": image.hidden.get("os_type", "Linux"),
        "hyperVGeneration": image.hidden.get("generation", "V1"),
    }
    return Origin({"source": str(image.id)}, described)


def _blob(creation: dict[str, Any], properties: dict[str, Any], noun: str) -> Origin:
    for key in ("sourceUri", "storageAccountId"):
        if not creation.get(key):
            raise missing_parameter(f"{noun}.creationData.{key}")
    from_blob = {"osType": properties["osType"]} if properties.get("osType") else {}
    return Origin({"blob": creation["sourceUri"]}, {**from_blob, "hyperVGeneration": "V1"})


def _upload(creation: dict[str, Any], properties: dict[str, Any]) -> Origin:
    size = creation.get("uploadSizeBytes")
    if not size:
        raise missing_parameter("disk.creationData.uploadSizeBytes")
    if not _LEAST_UPLOAD <= size <= _MOST_UPLOAD or (size - FOOTER_SIZE) % MEBIBYTE:
        raise invalid_parameter(
            "disk.creationData.uploadSizeBytes",
            f"The value '{size}' of parameter 'uploadSizeBytes' is not valid. It must be between {_LEAST_UPLOAD} and "
            f"{_MOST_UPLOAD}: a whole number of MiB and the {FOOTER_SIZE} bytes of a VHD footer.",
        )
    if properties.get("diskSizeGB"):
        raise invalid_parameter(
            "disk.diskSizeGB", "Parameter 'disk.diskSizeGB' is not allowed with createOption 'Upload'."
        )
    return Origin({"upload": size}, {"diskSizeGB": -(-(size - FOOTER_SIZE) // GIBIBYTE)})


def existing_resource(cloud: Cloud, identifier: str) -> Resource:
    """Give the disk, snapshot or image with an id, or refuse with 404."""
    found = cloud.store.find(identifier)
    if found is None:
        raise resource_not_found(parse_id(identifier, "properties.creationData.sourceResourceId"))
    return found


def parse_id(text: str, path: str) -> ResourceId:
    """Read the id of a resource at a ``path`` of a body.

    Raises:
        ArmError: 400: it is none.
    """
    try:
        return ResourceId.parse(text)
    except ValueError as error:
        raise ArmError(
            400,
            "LinkedInvalidPropertyId",
            f"Property id '{text}' at path '{path}' is invalid. Expect fully qualified resource Id that start with "
            "'/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.",
        ) from error


def _too_small(size: int, source: int) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        f"Disk size {size} GB is smaller than the size of its source, {source} GB: a disk cannot be shrunk.",
        target="diskSizeGB",
    )
