"""Versions of a gallery's images, and their replication. Source: Azure OpenAPI, GalleryRP, recorded exchanges."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, resource_not_found
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks.creation import existing_resource
from verified_images.emulator.compute.disks.frozen_files import import_vhd, release
from verified_images.emulator.compute.images.early_versions import as_shown_then, as_written_today
from verified_images.emulator.compute.images.parts import take_parts
from verified_images.emulator.compute.images.publishing_profiles import (
    encryption_sets,
    fill_profile,
    region_names,
    replication_status,
)
from verified_images.emulator.compute.images.version_sources import check_unchanged, find_sources
from verified_images.emulator.compute.shown_since import VERSIONS, as_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.locations import LOCATIONS
from verified_images.emulator.operations import GALLERIES
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Answer, Request

TYPE = "Microsoft.Compute/galleries/images/versions"
_VERSION = re.compile(r"\d{1,10}\.\d{1,10}\.\d{1,10}")
_LARGEST = 2**31 - 1
_EXPANDED = ("replicationstatus", "validationprofile", "uefisettings")


class GalleryImageVersions(Kind):
    """Microsoft.Compute/galleries/images/versions."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(GALLERIES, retry_write=60, retry_delete=60)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES

    def put(self, cloud: Cloud, request: Request) -> Answer:
        """Create or update the version."""
        return super().put(cloud, as_written_today(request))

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check name, source and regions; keep the source of a version that exists."""
        _check_name(request.id.name)
        given = body.get("properties") or {}
        if existing and existing.state in {"Creating", "Updating"}:
            raise ArmError(
                409,
                "Conflict",
                "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
                "https://aka.ms/activitylog to get more details on the conflicting requests.",
            )
        profile = fill_profile(given.get("publishingProfile") or {}, body["location"], existing)
        for encryption_set in encryption_sets(profile):
            existing_resource(cloud, encryption_set)
        storage = dict(given.get("storageProfile") or {})
        hidden: dict[str, Any]
        if existing:
            check_unchanged(existing, storage)
            storage, hidden = existing.properties["storageProfile"], existing.hidden
        else:
            definition = cloud.store.find(request.id.parent) if request.id.parent else None
            if definition is None:
                raise resource_not_found(request.id)
            hidden = find_sources(cloud, request, storage, definition, body["location"])
            hidden["generation"] = definition.properties["hyperVGeneration"]
            storage = _described(storage)
        properties = {
            **{key: given[key] for key in ("securityProfile",) if given.get(key)},
            "publishingProfile": profile,
            "storageProfile": storage,
            "safetyProfile": _safety_profile(given, existing),
        }
        hidden |= {"replicating_since": time.time()}
        return Resource(request.id, {**body, "properties": properties}, hidden)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the sources, or share the files that they stand on; then replicate."""
        if not resource.hidden.get("ready"):
            self._take_disks(cloud, resource)
        self._replicate(cloud, resource)

    def _take_disks(self, cloud: Cloud, resource: Resource) -> None:
        blob = resource.hidden.get("blob")
        if blob:
            import_vhd(cloud, Path(blob), resource.id)
        sizes = take_parts(cloud, resource)
        with cloud.store.changing(resource.id) as found:
            if found:
                if blob:
                    sizes[None] = found.hidden["size_gb"] = found.hidden["blob_size_gb"]
                _describe_disks(found, sizes)

    def _replicate(self, cloud: Cloud, version: Resource) -> None:
        done = version.hidden.get("replicated", [])
        wanted = region_names(version)
        failed = [
            name
            for name in wanted
            if name not in done and cloud.faults.on_resource("replication_failed", version.id, name)
        ]
        with cloud.store.changing(version.id) as found:
            if found:
                found.hidden["unreplicated"] = failed
                if failed:
                    found.hidden["replicated"] = [name for name in wanted if name not in failed]
        if failed:
            raise ArmError(
                409,
                "ReplicationFailed",
                f"The replication of the gallery image version '{version.id.name}' to the region(s) "
                f"'{', '.join(LOCATIONS[name] for name in failed)}' failed. Please retry the request.",
            )

    def settle(self, cloud: Cloud, resource: Resource) -> None:
        """Write down where the version is to be had, once the replication is done."""
        del cloud
        resource.hidden["replicated"] = region_names(resource)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse before the end of a version's life, where its owner has asked for that."""
        del cloud
        end = resource.properties["publishingProfile"].get("endOfLifeDate")
        is_blocked = resource.properties["safetyProfile"].get("blockDeletionBeforeEndOfLife")
        if is_blocked and end and _date(end) > datetime.now(UTC):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The gallery image version '{resource.id}' cannot be deleted before the end of its life, {end}, since "
                "'blockDeletionBeforeEndOfLife' is set in its safety profile.",
            )

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the version's files unless something else stands on them."""
        release(cloud, resource)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the version; with ``$expand`` the state of each region, or what was validated, too."""
        expanded = [part.strip().lower() for part in request.query.get("$expand", "").split(",") if part.strip()]
        for part in expanded:
            if part not in _EXPANDED:
                raise invalid_parameter("$expand", f"The value '{part}' of parameter '$expand' is not supported.")
        more: dict[str, Any] = {}
        if "replicationstatus" in expanded:
            more["replicationStatus"] = replication_status(resource, self._progress(cloud, resource))
        if "validationprofile" in expanded:
            etag = str(uuid.uuid5(uuid.NAMESPACE_URL, str(resource.id)))
            more["validationsProfile"] = {
                "validationEtag": etag,
                "executedValidations": [],
                "platformAttributes": [],
            }
        body = {**resource.body, "properties": {**resource.properties, **more}} if more else resource.body
        return as_of(as_shown_then(body, request.api_version), request.api_version, VERSIONS)

    def _progress(self, cloud: Cloud, version: Resource) -> int:
        """Give how far a running replication has come, in percent of the time that it takes."""
        seconds = cloud.operations.timing.of(f"{self.type}/write")
        elapsed = time.time() - version.hidden.get("replicating_since", time.time())
        return min(99, int(100 * elapsed / seconds)) if seconds else 0


def _described(storage: dict[str, Any]) -> dict[str, Any]:
    """Give a new version's storageProfile as it shows while the disks are not there yet."""
    if os_disk := storage.get("osDiskImage"):
        storage["osDiskImage"] = {"hostCaching": "ReadWrite", **os_disk}
    if data_disks := storage.get("dataDiskImages"):
        storage["dataDiskImages"] = [{"hostCaching": "None", **disk} for disk in data_disks]
    return storage


def _describe_disks(version: Resource, sizes: dict[int | None, int]) -> None:
    storage = version.properties["storageProfile"]
    storage["osDiskImage"] = {
        "sizeInGB": sizes[None],
        "hostCaching": "ReadWrite",
        "source": {},
        **(storage.get("osDiskImage") or {}),
    }
    given = {disk["lun"]: disk for disk in storage.get("dataDiskImages") or []}
    caching = version.hidden.get("data_caching") or {}
    luns = sorted(lun for lun in sizes if lun is not None)
    if luns:
        storage["dataDiskImages"] = [
            {"lun": lun, "sizeInGB": sizes[lun], "hostCaching": caching.get(str(lun), "None"), **given.get(lun, {})}
            for lun in luns
        ]


def _safety_profile(given: dict[str, Any], existing: Resource | None) -> dict[str, Any]:
    before = existing.properties["safetyProfile"] if existing else {}
    wanted = {key: value for key, value in (given.get("safetyProfile") or {}).items() if value is not None}
    read_only = {"reportedForPolicyViolation": False}
    return {"allowDeletionOfReplicatedLocations": False, **before, **wanted, **read_only}


def _date(text: str) -> datetime:
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _check_name(name: str) -> None:
    if not _VERSION.fullmatch(name) or any(int(part) > _LARGEST for part in name.split(".")):
        raise ArmError(
            400,
            "InvalidParameter",
            f"The entity name 'galleryImageVersionName' is invalid according to its validation rule: "
            f"^[0-9]+\\.[0-9]+\\.[0-9]+$. Each part must fit a 32-bit integer; given: '{name}'.",
            target="galleryImageVersionName",
        )
