"""Versions of a gallery's images, and their replication. Source: Azure OpenAPI, GalleryRP, recorded exchanges."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter, resource_not_found
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.frozen_files import release, take_content
from verified_images.emulator.compute.images import os_disk_of_machine
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.locations import LOCATIONS, normalize_location
from verified_images.emulator.operations import GALLERIES
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/galleries/images/versions"
_VERSION = re.compile(r"\d{1,10}\.\d{1,10}\.\d{1,10}")
_LARGEST = 2**31 - 1


class GalleryImageVersions(Kind):
    """Microsoft.Compute/galleries/images/versions."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(GALLERIES, retry_write=60, retry_delete=60)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check name, source and regions; keep the source of a version that exists."""
        _check_name(request.id.name)
        given = body.get("properties") or {}
        profile = _publishing_profile(given.get("publishingProfile") or {}, body["location"], existing)
        properties: dict[str, Any] = {"publishingProfile": profile}
        hidden: dict[str, Any]
        if existing:
            properties["storageProfile"] = existing.properties["storageProfile"]
            hidden = existing.hidden
            _check_source_unchanged(existing, given.get("storageProfile") or {})
        else:
            properties["storageProfile"] = dict(given.get("storageProfile") or {})
            hidden = self._check_source(cloud, request.id, properties["storageProfile"], body["location"])
        properties["safetyProfile"] = {
            "reportedForPolicyViolation": False,
            "allowDeletionOfReplicatedLocations": False,
            **(given.get("safetyProfile") or {}),
        }
        return Resource(request.id, {**body, "properties": properties}, hidden)

    def _check_source(
        self, cloud: Cloud, version: ResourceId, storage: dict[str, Any], location: str
    ) -> dict[str, Any]:
        identifier = source_id(storage)
        source = cloud.store.find(identifier)
        if source is None:
            raise resource_not_found(ResourceId.parse(identifier))
        parent = version.parent
        definition = cloud.store.find(parent) if parent else None
        if definition is None:
            raise resource_not_found(version)
        if source.location != location:
            raise invalid_parameter(
                "galleryImageVersion.properties.storageProfile.source",
                f"The source '{identifier}' is in location '{source.location}', but the gallery image version is to be "
                f"made in '{location}'.",
            )
        _check_agreement(source, definition, identifier)
        return {"source": identifier, "generation": definition.properties["hyperVGeneration"]}

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the source, or share the file that it stands on; then replicate."""
        if not resource.hidden.get("ready"):
            _take_image(cloud, resource)
        wanted = [
            normalize_location(region["name"]) for region in resource.properties["publishingProfile"]["targetRegions"]
        ]
        failed = [
            name
            for name in wanted
            if name not in resource.hidden.get("replicated", [])
            and cloud.faults.on_resource("replication_failed", resource.id, name)
        ]
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden["replicated"] = [name for name in wanted if name not in failed]
                found.hidden["unreplicated"] = failed
        if failed:
            raise ArmError(
                409,
                "ReplicationFailed",
                f"The replication of the gallery image version '{resource.id.name}' to the region(s) "
                f"'{', '.join(LOCATIONS[name] for name in failed)}' failed. Please retry the request.",
            )

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the version's file unless something else stands on it."""
        release(cloud, resource)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the version; with ``$expand=ReplicationStatus`` the state of each region too."""
        del cloud
        if request.query.get("$expand", "").lower() != "replicationstatus":
            return resource.body
        regions = [
            _region_status(resource, region["name"])
            for region in resource.properties["publishingProfile"]["targetRegions"]
        ]
        states = {region["state"] for region in regions}
        aggregated = "Failed" if "Failed" in states else "InProgress" if "Replicating" in states else "Completed"
        status = {"aggregatedState": aggregated, "summary": regions}
        return {**resource.body, "properties": {**resource.properties, "replicationStatus": status}}


def _region_status(version: Resource, region: str) -> dict[str, Any]:
    name = normalize_location(region)
    state = "Completed" if name in version.hidden.get("replicated", []) else "Replicating"
    if name in version.hidden.get("unreplicated", []):
        state = "Failed"
    return {"region": region, "state": state, "details": "", "progress": 100 if state == "Completed" else 0}


def source_id(storage: dict[str, Any]) -> str:
    """Give the id of a version's source: an image, a virtual machine, a disk, a snapshot or another version."""
    source = storage.get("source") or (storage.get("osDiskImage") or {}).get("source") or {}
    identifier = source.get("id") or source.get("virtualMachineId")
    if not identifier:
        raise missing_parameter("galleryImageVersion.properties.storageProfile.source")
    return str(identifier)


def _check_name(name: str) -> None:
    if not _VERSION.fullmatch(name) or any(int(part) > _LARGEST for part in name.split(".")):
        raise ArmError(
            400,
            "InvalidParameter",
            f"The entity name 'galleryImageVersionName' is invalid according to its validation rule: "
            f"^[0-9]+\\.[0-9]+\\.[0-9]+$. Each part must fit a 32-bit integer; given: '{name}'.",
            target="galleryImageVersionName",
        )


def _publishing_profile(given: dict[str, Any], location: str, existing: Resource | None) -> dict[str, Any]:
    old = existing.properties["publishingProfile"] if existing else {}
    replicas = given.get("replicaCount") or old.get("replicaCount", 1)
    regions = given.get("targetRegions") or old.get("targetRegions") or [{"name": location}]
    names = {normalize_location(region["name"]) for region in regions}
    for name in names:
        if name not in LOCATIONS:
            raise invalid_parameter("targetRegions", f"The target region '{name}' is not a valid Azure region.")
    if location not in names:
        raise invalid_parameter(
            "galleryImageVersion.properties.publishingProfile.targetRegions",
            f"The gallery image version publishing profile must include the location of the gallery image version "
            f"'{location}' in the list of target regions.",
        )
    account_type = given.get("storageAccountType") or old.get("storageAccountType", "Standard_LRS")
    profile = {
        **given,
        "targetRegions": [_target_region(region, replicas, account_type) for region in regions],
        "replicaCount": replicas,
        "excludeFromLatest": given.get("excludeFromLatest", old.get("excludeFromLatest", False)),
        "publishedDate": old.get("publishedDate", datetime.now(UTC).isoformat()),
        "storageAccountType": account_type,
    }
    if "endOfLifeDate" in old:
        profile.setdefault("endOfLifeDate", old["endOfLifeDate"])
    return profile


def _target_region(region: dict[str, Any], replicas: int, account_type: str) -> dict[str, Any]:
    return {
        "regionalReplicaCount": replicas,
        "storageAccountType": account_type,
        **region,
        "name": LOCATIONS[normalize_location(region["name"])],
    }


def _check_source_unchanged(existing: Resource, storage: dict[str, Any]) -> None:
    given = (storage.get("source") or {}).get("id") or (storage.get("source") or {}).get("virtualMachineId")
    if given and given.lower() != existing.hidden["source"].lower():
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'galleryImageVersion.properties.storageProfile.source.id' is not allowed.",
            target="galleryImageVersion.properties.storageProfile.source.id",
        )


def _check_agreement(source: Resource, definition: Resource, identifier: str) -> None:
    kind = source.id.types[-1].lower()
    state = {"virtualmachines": source.hidden.get("os_state"), "images": "Generalized"}.get(kind)
    wanted_state = definition.properties["osState"]
    if state and state != wanted_state:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{identifier}' has a different OS state ['{state}'] than the parent gallery image "
            f"OS state ['{wanted_state}'].",
        )
    generation = source.hidden.get("generation") or source.properties.get("hyperVGeneration", "V1")
    wanted = definition.properties["hyperVGeneration"]
    if generation != wanted:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{identifier}' has a different Hypervisor generation ['{generation}'] than the "
            f"parent gallery image Hypervisor generation ['{wanted}'].",
        )


def _take_image(cloud: Cloud, version: Resource) -> None:
    """Let a version stand on what its source holds: an image's or version's own file, or its disk, frozen."""
    source = cloud.store.find(version.hidden["source"])
    if source is None:
        raise resource_not_found(ResourceId.parse(version.hidden["source"]))
    machine = source.id.types[-1].lower() == "virtualmachines"
    size = take_content(cloud, os_disk_of_machine(cloud, source).id if machine else source.id, version.id)
    with cloud.store.changing(version.id) as found:
        if found:
            found.hidden |= {"ready": True, "size_gb": size}
            storage = found.properties["storageProfile"]
            given = storage.get("osDiskImage") or {}
            storage["osDiskImage"] = {"sizeInGB": size, "hostCaching": "ReadWrite", "source": {}, **given}
