"""Snapshots of the machine's disks that a template wants beside its managed image."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from verified_images.cloud.ids import parse_id, resource_id
from verified_images.cloud.snapshots import begin_snapshot, delete_snapshot, find_snapshot
from verified_images.errors import PreflightError
from verified_images.naming import RUN_TAG
from verified_images.stages.provision import data_disks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.stages.context import BuildContext


def check_snapshots(context: BuildContext) -> None:
    """Check that the names of the snapshots are free.

    Raises:
        PreflightError: there is a snapshot of one of the names.
        CloudError: ARM refused to tell.
    """
    taken = [each for each in wanted_snapshots(context) if find_snapshot(context.arm, each) is not None]
    if taken:
        raise PreflightError([f"image.managed: a snapshot '{each}' exists already; delete it" for each in taken])


def wanted_snapshots(context: BuildContext) -> Mapping[str, str]:
    """Return the ids of the snapshots to be made, each with that of its disk.

    Those of the data disks are numbered from 0 after their prefix, in the disks' order, as Packer numbers them.
    """
    target = context.template.image.managed
    if target is None:
        return {}
    disks = {}
    if target.os_disk_snapshot:
        disks[target.os_disk_snapshot] = context.run.names.os_disk
    if target.data_disk_snapshot_prefix:
        for number, disk in enumerate(data_disks(context)):
            disks[f"{target.data_disk_snapshot_prefix}{number}"] = disk.name
    subscription, group = context.place.subscription, target.resource_group
    return {
        resource_id(subscription, group, "Microsoft.Compute/snapshots", name): context.place.compute_id("disks", disk)
        for name, disk in disks.items()
    }


def publish_snapshots(context: BuildContext, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Make the snapshots, all at once, and return their ids; clean-up removes what was made half-way."""
    made = wanted_snapshots(context)
    operations = []
    for snapshot, disk in made.items():
        parsed = parse_id(snapshot)
        context.undo.register("snapshot", snapshot, functools.partial(delete_own_snapshot, context, snapshot))
        place = replace(context.place, group=parsed.group, tags=tags)
        operations.append(begin_snapshot(context.arm, place, parsed.name, disk))
    for operation in operations:
        operation.result()
    return tuple(made)


def delete_own_snapshot(context: BuildContext, snapshot_id: str) -> None:
    """Delete the snapshot unless it is another run's, or not there."""
    found = find_snapshot(context.arm, snapshot_id)
    if found is not None and (found.get("tags") or {}).get(RUN_TAG) == context.run.id:
        delete_snapshot(context.arm, snapshot_id)
