"""Snapshots, full and incremental, of disks and of snapshots. Source: Azure OpenAPI, DiskRP, and recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.compute.disks.creation import changeable, fill_defaults, new_disk
from verified_images.emulator.compute.disks.frozen_files import Part, take_content
from verified_images.emulator.compute.disks.kind import DiskKind, fetch_blob, find_source_blob
from verified_images.emulator.compute.shown_since import SNAPSHOTS, Since
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/snapshots"


class Snapshots(DiskKind):
    """Microsoft.Compute/snapshots."""

    type: ClassVar[str] = TYPE
    noun: ClassVar[str] = "Snapshot"
    shown_since: ClassVar[Since] = SNAPSHOTS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the creation data and fill in the defaults."""
        if existing:
            merged = {**existing.properties, **changeable(existing, body)}
            sku = {**existing.body["sku"], **(body.get("sku") or {})}
            return Resource(existing.id, {**existing.body, **body, "sku": sku, "properties": merged}, existing.hidden)
        snapshot = new_disk(cloud, request.id, body, "snapshot")
        find_source_blob(cloud, request, snapshot)
        snapshot.body["sku"] = {"name": "Standard_LRS", "tier": "Standard", **(body.get("sku") or {})}
        snapshot.body["sku"]["tier"] = snapshot.body["sku"]["name"].partition("_")[0]
        shown = {"incremental": False, **fill_defaults(snapshot.properties)}
        if shown["incremental"]:
            shown["incrementalSnapshotFamilyId"] = _family(cloud, shown)
        if shown["creationData"]["createOption"] == "CopyStart":
            shown["completionPercent"] = 100.0
        snapshot.body["properties"] = shown
        return snapshot

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the source."""
        if resource.hidden.get("ready"):
            return
        if "blob" in resource.hidden:
            size = fetch_blob(cloud, resource)
        elif not resource.hidden["source"]:
            size = resource.properties["diskSizeGB"]
        else:
            size = take_content(cloud, Part(ResourceId.parse(resource.hidden["source"])), resource.id)
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden |= {"ready": True, "size_gb": size}


def _family(cloud: Cloud, properties: dict[str, Any]) -> str:
    """Give the id that the incremental snapshots of one disk have in common."""
    source = cloud.store.find(properties["creationData"]["sourceResourceId"])
    own = source.properties if source else {}
    return str(own.get("incrementalSnapshotFamilyId") or own.get("uniqueId") or properties["uniqueId"])
