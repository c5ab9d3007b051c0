"""From a machine's imageReference to the image: Marketplace, managed image, gallery definition or version."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute.disks.frozen_files import files_of
from verified_images.emulator.compute.images import galleries, gallery_image_versions, images
from verified_images.emulator.compute.images.marketplace import find_platform_image
from verified_images.emulator.compute.images.parts import source_data_disks
from verified_images.emulator.compute.images.publishing_profiles import encryption_set_of, is_latest_in
from verified_images.emulator.compute.images.source_images import SourceImage

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_LATEST = re.compile("/versions/latest$", re.IGNORECASE)


def resolve_image(cloud: Cloud, reference: dict[str, Any], location: str) -> SourceImage:
    """Give the image that an imageReference names, for a machine in ``location``.

    Raises:
        ArmError: there is no such image, or it is not to be had in the location.
    """
    identifier = reference.get("id")
    if not identifier:
        return find_platform_image(cloud, reference)
    found = cloud.store.find(_LATEST.sub("", identifier))
    kind = found.id.type.lower() if found else ""
    if found and kind == images.TYPE.lower():
        return _managed_image(found, location)
    if found and kind == gallery_image_versions.TYPE.lower():
        return _version(cloud, found, location)
    if found and kind == galleries.DEFINITION_TYPE.lower():
        return _version(cloud, latest_version(cloud, found, location), location)
    raise ArmError(
        404,
        "GalleryImageNotFound" if "/galleries/" in identifier.lower() else "NotFound",
        f"The resource '{identifier}' was not found. Verify that the image exists and that the caller may read it.",
        target="imageReference",
    )


def pinned(cloud: Cloud, reference: dict[str, Any]) -> dict[str, Any]:
    """Give a reference to the very version that a machine was made of, as long as it is there."""
    definition, exact = _LATEST.sub("", str(reference.get("id") or "")), reference.get("exactVersion")
    version = cloud.store.find(f"{definition}/versions/{exact}") if definition and exact else None
    return {**reference, "id": str(version.id)} if version else reference


def latest_version(cloud: Cloud, definition: Resource, location: str) -> Resource:
    """Give the highest version of a definition that is not excluded from latest and is replicated to a location."""
    candidates = [
        version
        for version in cloud.store.select(gallery_image_versions.TYPE, under=definition.id)
        if version.state in {"Succeeded", "Updating"} and is_latest_in(version, location)
    ]
    if not candidates:
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image '{definition.id}' is not available in {location} region. Please contact image owner to "
            "replicate to this region, or change your requested region.",
            target="imageReference",
        )
    return max(candidates, key=lambda version: tuple(int(part) for part in version.id.name.split(".")))


def _managed_image(image: Resource, location: str) -> SourceImage:
    if image.location != location:
        raise invalid_parameter(
            "imageReference.id", f"The image '{image.id}' is in location '{image.location}', not in '{location}'."
        )
    _check_succeeded(image)
    disk = image.properties["storageProfile"]["osDisk"]
    return SourceImage(
        open_disk=lambda: Path(files_of(image)[0]),
        files=tuple(files_of(image)),
        generation=image.hidden["generation"],
        size_gb=image.hidden["size_gb"],
        os_type=disk["osType"],
        os_state=disk["osState"],
        data_disks=source_data_disks(
            image,
            {disk["lun"]: disk.get("caching", "None") for disk in image.properties["storageProfile"]["dataDisks"]},
        ),
    )


def _version(cloud: Cloud, version: Resource, location: str) -> SourceImage:
    _check_succeeded(version)
    if location not in version.hidden.get("replicated", []):
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image '{version.id}' is not available in {location} region. Please contact image owner to "
            "replicate to this region, or change your requested region.",
            target="imageReference",
        )
    parent = version.id.parent
    definition = cloud.store.find(parent) if parent else None
    properties = definition.properties if definition else {}
    features = {feature["name"]: feature["value"] for feature in properties.get("features") or []}
    return SourceImage(
        open_disk=lambda: Path(files_of(version)[0]),
        files=tuple(files_of(version)),
        generation=properties.get("hyperVGeneration", "V1"),
        size_gb=version.hidden["size_gb"],
        os_type=properties.get("osType", "Linux"),
        os_state=properties.get("osState", "Generalized"),
        architecture=properties.get("architecture", "x64"),
        exact_version=version.id.name,
        security_type=features.get("SecurityType", ""),
        data_disks=source_data_disks(
            version,
            {
                disk["lun"]: disk.get("hostCaching", "None")
                for disk in version.properties["storageProfile"].get("dataDiskImages") or []
            },
            lambda lun: encryption_set_of(version, location, lun),
        ),
        encryption_set=encryption_set_of(version, location),
    )


def _check_succeeded(image: Resource) -> None:
    if not image.hidden.get("ready") or image.state in {"Deleting", "Failed"}:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The image '{image.id}' is in provisioning state '{image.state}' and cannot be used yet.",
        )
