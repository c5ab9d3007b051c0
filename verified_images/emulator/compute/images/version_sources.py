"""What a gallery image version is made of, and whether that fits its definition.

Source: Azure OpenAPI, GalleryRP, recorded exchanges, and errors quoted in public issues.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.creation import GIBIBYTE, parse_id
from verified_images.emulator.compute.disks.frozen_files import Part
from verified_images.emulator.compute.images.parts import note_parts, parts_of_image, parts_of_machine
from verified_images.emulator.vhd import VhdError, read_size_of_file

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_PATH = "galleryImageVersion.properties.storageProfile"
_WHOLE = ("virtualmachines", "images", "versions")
_DISKS = ("disks", "snapshots")
_SINGLE = ("disks", "snapshots", "images", "versions")


def find_sources(
    cloud: Cloud, request: Request, storage: dict[str, Any], definition: Resource, location: str
) -> dict[str, Any]:
    """Give what a new version is to be made of, as it is kept with it, having checked it against the definition.

    Raises:
        ArmError: 400: there is no source, or it does not fit; 404: it does not exist.
    """
    whole, os_disk = _id_in(storage.get("source")), _id_in((storage.get("osDiskImage") or {}).get("source"))
    blob = _uri_in((storage.get("osDiskImage") or {}).get("source"))
    if bool(whole) + bool(os_disk or blob) != 1:
        if whole:
            raise invalid_parameter(f"{_PATH}.osDiskImage.source", "Only one source of the OS disk can be given.")
        raise missing_parameter(f"{_PATH}.source")
    if blob:
        return _blob(cloud, request, blob)
    source = _find(cloud, whole or os_disk, location)
    kind = source.id.types[-1].lower()
    if kind not in (_WHOLE if whole else _DISKS) and not (whole and kind in _SINGLE):
        path = f"{_PATH}.source" if whole else f"{_PATH}.osDiskImage.source"
        raise invalid_parameter(path, f"A gallery image version cannot be made of the resource '{source.id}'.")
    _check_agreement(cloud, source, definition, whole or os_disk)
    parts = _parts(source)
    for disk in storage.get("dataDiskImages") or []:
        if disk.get("lun") is None:
            raise missing_parameter(f"{_PATH}.dataDiskImages.lun")
        data_source = _find(cloud, _id_in(disk.get("source")) or "", location)
        parts.append(Part(data_source.id, lun=disk["lun"]))
    if len({part.lun for part in parts}) != len(parts):
        raise invalid_parameter(f"{_PATH}.dataDiskImages", "Two data disks of an image cannot have the same LUN.")
    return {"source": whole or os_disk, "parts": note_parts(parts), "data_caching": _caching(source)}


def check_unchanged(existing: Resource, storage: dict[str, Any]) -> None:
    """Refuse another source of a version that exists.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed.
    """
    os_disk = storage.get("osDiskImage") or {}
    blob = _uri_in(os_disk.get("source")).partition("?")[0]
    given = _id_in(storage.get("source")) or _id_in(os_disk.get("source")) or blob
    if given and given.lower() != existing.hidden["source"].lower():
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'galleryImageVersion.properties.storageProfile.source.id' is not allowed.",
            target="galleryImageVersion.properties.storageProfile.source.id",
        )
    before = existing.properties["storageProfile"].get("osDiskImage") or {}
    if "sizeInGB" in before and os_disk.get("hostCaching", before.get("hostCaching")) != before.get("hostCaching"):
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'galleryImageVersion.properties.storageProfile.osDiskImage.hostCaching' is not allowed.",
            target="galleryImageVersion.properties.storageProfile.osDiskImage.hostCaching",
        )


def _id_in(source: dict[str, Any] | None) -> str:
    source = source or {}
    return str(source.get("id") or source.get("virtualMachineId") or "")


def _uri_in(source: dict[str, Any] | None) -> str:
    return str((source or {}).get("uri") or "")


def _blob(cloud: Cloud, request: Request, url: str) -> dict[str, Any]:
    file = disk_access.find_blob(cloud, request, url)
    try:
        size = -(-read_size_of_file(Path(file)) // GIBIBYTE)
    except VhdError as error:
        raise ArmError(400, "InvalidVhd", str(error), target=f"{_PATH}.osDiskImage.source.uri") from error
    return {"source": url.partition("?")[0], "blob": str(file), "blob_size_gb": size, "parts": []}


def _find(cloud: Cloud, identifier: str, location: str) -> Resource:
    if not identifier:
        raise missing_parameter(f"{_PATH}.dataDiskImages.source.id")
    source = cloud.store.find(identifier)
    if source is None:
        raise resource_not_found(parse_id(identifier, "properties.storageProfile.source.id"))
    kind = source.id.types[-1].lower()
    here = source.hidden.get("replicated", []) if kind == "versions" else [source.location]
    if location not in here:
        raise invalid_parameter(
            f"{_PATH}.source",
            f"The source '{identifier}' is in location '{source.location}', but the gallery image version is to be "
            f"made in '{location}'.",
        )
    if kind in {"images", "versions"} and not source.hidden.get("ready"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The source '{identifier}' is in provisioning state '{source.state}' and cannot be used yet.",
        )
    if source.properties.get("diskState") in {"ReadyToUpload", "ActiveUpload"}:
        raise ArmError(409, "OperationNotAllowed", f"The content of disk '{source.id.name}' has not been uploaded.")
    return source


def _parts(source: Resource) -> list[Part]:
    kind = source.id.types[-1].lower()
    if kind == "virtualmachines":
        return parts_of_machine(source)
    return parts_of_image(source) if kind in {"images", "versions"} else [Part(source.id)]


def _caching(source: Resource) -> dict[str, str]:
    """Give the caching of the data disks by LUN, a text as all keys of JSON are."""
    profile = source.properties.get("storageProfile") or {}
    disks = profile.get("dataDisks") or profile.get("dataDiskImages") or []
    return {str(disk["lun"]): disk.get("caching") or disk.get("hostCaching") or "None" for disk in disks}


def _check_agreement(cloud: Cloud, source: Resource, definition: Resource, identifier: str) -> None:
    facts = _facts(cloud, source)
    wanted = definition.properties
    features = {feature.get("name"): feature.get("value") for feature in wanted.get("features") or []}
    checks = (
        ("OS state", facts["os_state"], wanted["osState"]),
        ("Hypervisor generation", facts["generation"], wanted["hyperVGeneration"]),
        ("OS type", facts["os_type"], wanted["osType"]),
        ("architecture", facts["architecture"], wanted.get("architecture", "x64")),
    )
    for what, actual, expected in checks:
        if actual and actual != expected:
            raise ArmError(
                400,
                "BadRequest",
                f"The resource with id '{identifier}' has a different {what} ['{actual}'] than the parent gallery "
                f"image {what} ['{expected}'].",
            )
    security = facts["security_type"]
    allowed = str(features.get("SecurityType", ""))
    if security in {"TrustedLaunch", "ConfidentialVM"} and security != allowed:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{identifier}' has a different security type ['{security}'] than the parent gallery "
            f"image security type ['{allowed or 'Standard'}'].",
        )


def _facts(cloud: Cloud, source: Resource) -> dict[str, str]:
    properties, kind = source.properties, source.id.types[-1].lower()
    security = (properties.get("securityProfile") or {}).get("securityType", "")
    architecture = (properties.get("supportedCapabilities") or {}).get("architecture", "")
    if kind == "versions":
        parent = source.id.parent
        definition = cloud.store.find(parent) if parent else None
        own = definition.properties if definition else {}
        return {
            "os_state": own.get("osState", ""),
            "generation": own.get("hyperVGeneration", ""),
            "os_type": own.get("osType", ""),
            "architecture": own.get("architecture", ""),
            "security_type": "",
        }
    profile = (properties.get("storageProfile") or {}).get("osDisk") or {}
    state = source.hidden.get("os_state", "") if kind == "virtualmachines" else profile.get("osState", "")
    return {
        "os_state": state,
        "generation": source.hidden.get("generation") or properties.get("hyperVGeneration", "V1"),
        "os_type": profile.get("osType") or properties.get("osType", ""),
        "architecture": architecture,
        "security_type": security,
    }
