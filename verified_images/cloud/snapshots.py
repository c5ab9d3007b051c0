"""Snapshots of disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm, Body, Operation
    from verified_images.cloud.place import Place


def begin_snapshot(arm: Arm, place: Place, name: str, disk_id: str, *, incremental: bool = False) -> Operation[object]:
    """Begin to make a snapshot of a disk in the same location: a full one, or of what has changed since the last.

    The machine that has the disk may run; it goes on meanwhile.
    """
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": disk_id}},
    }
    if incremental:
        body["properties"]["incremental"] = True
    snapshots = arm.connection.compute.snapshots
    return arm.begin(
        "create snapshot",
        name,
        lambda: snapshots.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("snapshot", name, lambda: snapshots.get(place.group, name)),
    )


def begin_disk_of_snapshot(  # noqa: PLR0913 - what a disk is made of
    arm: Arm, place: Place, name: str, snapshot_id: str, *, disk_type: str, zone: str | None = None
) -> Operation[object]:
    """Begin to make a disk of what a snapshot in the same location holds, in the zone of its machine."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "sku": {"name": disk_type},
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": snapshot_id}},
    }
    if zone:
        body["zones"] = [zone]
    disks = arm.connection.compute.disks
    return arm.begin(
        "create disk",
        name,
        lambda: disks.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("disk", name, lambda: disks.get(place.group, name)),
    )


def set_disk_tags(arm: Arm, group: str, name: str, tags: Mapping[str, str]) -> None:
    """Give a disk these tags, in place of those that it has."""
    disks = arm.connection.compute.disks
    body: Body = {"tags": dict(tags)}
    arm.run("set tags of disk", name, lambda: disks.begin_update(group, name, body))


def list_snapshots(arm: Arm, group: str) -> list[Mapping[str, Any]]:
    """Return the snapshots of a resource group, in wire shape."""
    snapshots = arm.connection.compute.snapshots
    return arm.call("list snapshots in", group, lambda: list(snapshots.list_by_resource_group(group)))


def find_snapshot(arm: Arm, snapshot_id: str) -> Mapping[str, Any] | None:
    """Return a snapshot, in wire shape, or None where there is none of that id."""
    parsed = parse_id(snapshot_id)
    snapshots = arm.connection.compute_of(parsed.subscription).snapshots
    return arm.find("get snapshot", parsed.name, lambda: snapshots.get(parsed.group, parsed.name))


def delete_snapshot(arm: Arm, snapshot_id: str) -> None:
    """Delete a snapshot."""
    parsed = parse_id(snapshot_id)
    snapshots = arm.connection.compute_of(parsed.subscription).snapshots
    arm.run("delete snapshot", parsed.name, lambda: snapshots.begin_delete(parsed.group, parsed.name))
