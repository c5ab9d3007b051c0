"""Snapshots of disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id
from verified_images.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm, Body, Operation
    from verified_images.cloud.place import Place


def begin_snapshot(arm: Arm, place: Place, name: str, disk_id: str) -> Operation[object]:
    """Begin to make a full snapshot of a disk in the same location."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": disk_id}},
    }
    snapshots = arm.connection.compute.snapshots
    return arm.begin("create snapshot", name, lambda: snapshots.begin_create_or_update(place.group, name, body))


def find_snapshot(arm: Arm, snapshot_id: str) -> Mapping[str, Any] | None:
    """Return a snapshot, in wire shape, or None where there is none of that id."""
    parsed = parse_id(snapshot_id)
    snapshots = arm.connection.compute_of(parsed.subscription).snapshots
    try:
        return arm.call("get snapshot", parsed.name, lambda: snapshots.get(parsed.group, parsed.name))
    except NotFoundError:
        return None


def delete_snapshot(arm: Arm, snapshot_id: str) -> None:
    """Delete a snapshot."""
    parsed = parse_id(snapshot_id)
    snapshots = arm.connection.compute_of(parsed.subscription).snapshots
    arm.run("delete snapshot", parsed.name, lambda: snapshots.begin_delete(parsed.group, parsed.name))
