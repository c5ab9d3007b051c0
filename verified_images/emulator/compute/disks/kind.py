"""What disks and snapshots have in common: access to their bytes, import from a VHD, the files that they stand on.

Source: Azure OpenAPI, DiskRP, and recorded exchanges.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.creation import GIBIBYTE, as_given
from verified_images.emulator.compute.disks.frozen_files import import_vhd, release
from verified_images.emulator.compute.shown_since import Since, as_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.vhd import VhdError, read_size_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Route
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


class DiskKind(Kind):
    """A type whose resources are bytes that somebody may be given access to."""

    style: ClassVar[Style] = Style(
        DISKS,
        created=(202, "Updating"),
        updated=(202, "Updating"),
        location_on_put=True,
        retry_write=2,
    )
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS
    tags_at_once: ClassVar[bool] = False
    shown_since: ClassVar[Since]

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of access to the bytes."""
        yield from disk_access.routes(self)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the disk or snapshot, without an access whose time is up."""
        disk_access.expire(cloud, resource)
        found = cloud.store.find(resource.id) or resource
        return as_of(found.body, request.api_version, self.shown_since)

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give what the client sent: what Azure fills in shows only afterwards."""
        del cloud
        return as_given(resource, request.json(), request)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while somebody has access."""
        disk_access.check_no_access(cloud, resource)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """End what access was left, and delete the frozen files that nothing else needs."""
        disk_access.forget_access(cloud, resource)
        release(cloud, resource)


def find_source_blob(cloud: Cloud, request: Request, disk: Resource) -> None:
    """Find the VHD that a new disk or snapshot is to be imported from, and take its size.

    Raises:
        ArmError: 400: there is no such blob here, or it is no VHD.
    """
    if url := disk.hidden.get("blob"):
        file = disk_access.find_blob(cloud, request, url)
        try:
            size = -(-read_size_of_file(file) // GIBIBYTE)
        except VhdError as error:
            raise ArmError(400, "InvalidVhd", str(error), target="sourceUri") from error
        disk.hidden["blob"] = str(file)
        disk.properties["diskSizeGB"] = max(size, disk.properties.get("diskSizeGB") or 0)
        disk.properties["creationData"] = {
            **disk.properties["creationData"],
            "sourceUri": url.partition("?")[0],
        }


def fetch_blob(cloud: Cloud, disk: Resource) -> int:
    """Let a disk or snapshot stand on what a VHD holds; give the disk's size in GiB."""
    import_vhd(cloud, Path(disk.hidden["blob"]), disk.id)
    return int(disk.properties["diskSizeGB"])
