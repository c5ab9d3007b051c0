"""Access to the bytes of disks: a URL for a while, under which a disk is read as a fixed-size VHD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.errors import ConflictError
from verified_images.naming import RUN_TAG

if TYPE_CHECKING:
    from verified_images.cloud.operations import Arm, Body


def grant_reading(arm: Arm, group: str, disk: str, seconds: float) -> str:
    """Return the URL of a disk's VHD, which is a secret; whoever has had access before has it no more.

    Raises:
        CloudError: ARM refused it, as it does while a running machine has the disk.
    """
    disks = arm.connection.compute.disks
    body: Body = {"access": "Read", "durationInSeconds": int(seconds)}

    def grant() -> str:
        granted = arm.run("grant access to disk", disk, lambda: disks.begin_grant_access(group, disk, body))
        return str(granted["accessSAS"])

    try:
        return grant()
    except ConflictError:
        revoke_access(arm, group, disk)
        return grant()


def revoke_access(arm: Arm, group: str, disk: str) -> None:
    """End the access to a disk, which cannot be deleted before; where there is none, nothing happens."""
    disks = arm.connection.compute.disks
    arm.run("revoke access to disk", disk, lambda: disks.begin_revoke_access(group, disk))


def revoke_all(arm: Arm, group: str, run: str) -> None:
    """End the access to every disk of a run in a resource group; a group that is gone is no error."""
    disks = arm.connection.compute.disks
    found = arm.find("list disks in", group, lambda: list(disks.list_by_resource_group(group)))
    for disk in found or ():
        is_read = disk["properties"].get("diskState") == "ActiveSAS"
        if is_read and (disk.get("tags") or {}).get(RUN_TAG) == run:
            revoke_access(arm, group, str(disk["name"]))
