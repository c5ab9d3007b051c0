"""Disk accesses: over whose private endpoints disks are reached. Source: Azure OpenAPI, DiskRP; recorded exchanges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import api_versions
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request


class DiskAccesses(Kind):
    """Microsoft.Compute/diskAccesses; there are no private endpoints here, so a disk access has no connections."""

    type: ClassVar[str] = "Microsoft.Compute/diskAccesses"
    style: ClassVar[Style] = Style(
        DISKS, created=(202, "Updating"), updated=(202, "Updating"), location_on_put=True, retry_write=2
    )
    noun: ClassVar[str] = "DiskAccess"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Note when it was made."""
        del cloud
        made = existing.properties if existing else {"timeCreated": datetime.now(UTC).isoformat()}
        return Resource(request.id, {**body, "properties": dict(made)})

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give no properties: they show only afterwards."""
        del cloud, request
        return {key: value for key, value in resource.body.items() if key != "properties"}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a disk is reached over it."""
        if users := cloud.store.referrers(resource.id):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"DiskAccess {resource.id.name} cannot be deleted while it is in use by "
                f"{', '.join(str(user.id) for user in users[:5])}.",
            )
