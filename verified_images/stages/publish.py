"""Publish: make the verified image visible at its target."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.cloud.galleries import PUBLISH_SECONDS, RegionWishes, Replication, find_version, promote_version
from verified_images.cloud.ids import parse_id
from verified_images.cloud.images import begin_image_from_machine
from verified_images.cloud.snapshots import set_disk_tags
from verified_images.errors import CloudError, ConflictError, GateClosedError
from verified_images.naming import EXPIRY_TAG, INPUTS_TAG, format_time
from verified_images.stages.candidate import VERDICT_TAG, VERIFIED, delete_own_image
from verified_images.stages.ladder import at_rung
from verified_images.stages.security import image_encryption
from verified_images.stages.snapshots import publish_snapshots
from verified_images.stages.together import both
from verified_images.stages.vhd import PublishedVhds, mark_verified, publish_vhds
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.reports.verdict import Verdict
    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.context import BuildContext
    from verified_images.stages.scale_set import ScaleSet
    from verified_images.templates.model import GalleryTarget


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """What others can use from now on: ``ids`` of the images, the gallery version, and the regions that have it.

    The ids are those of ARM, the managed image's first, and last the addresses of VHDs, the OS disk's first.
    """

    ids: tuple[str, ...]
    version: str | None
    regions: tuple[str, ...]


def publish(context: BuildContext, captured: CapturedImage, scale_set: ScaleSet, verdict: Verdict) -> PublishedImage:
    """Make the image visible at each target of the template; what was made half-way is removed by clean-up.

    Raises:
        GateClosedError: the verdict is not passed, or the scale set ran another image.
        CloudError: Azure refused something; nothing is published then.
    """
    verdict.open_gate("publish")
    if scale_set.image_id != captured.id:
        raise GateClosedError("publish", [f"scale set '{scale_set.name}' was deployed from another image"])
    context = at_rung(context, captured.plan.rung)
    tags = verified_tags(context, captured, verdict) | built_tags(captured, scale_set)
    published: list[str] = []
    snapshots: tuple[str, ...] = ()
    # The managed image and the VHDs first: a gallery version that is visible cannot be taken back unnoticed.
    if captured.plan.managed_image:
        make = functools.partial(_publish_managed, context, captured, captured.plan.managed_image, tags)
        snapshots, _ = both(functools.partial(publish_snapshots, context, tags), make)
        published.append(captured.plan.managed_image)
    vhds = publish_vhds(context, captured.plan.vhd_account) if captured.plan.vhd_account else PublishedVhds((), ())
    mark_verified(context, vhds, tags)
    gallery = context.template.image.gallery
    regions: tuple[str, ...] = (context.place.location,)
    if captured.gallery_version and gallery:
        regions = _publish_version(context, captured, gallery, tags)
        published.append(captured.gallery_version)
    kept = _keep_os_disk(context, tags) if context.template.builder.keep_os_disk else ()
    for resource in (*published, *vhds.ids, *snapshots, *kept):
        context.undo.keep(resource)
    version = parse_id(captured.gallery_version).name if captured.gallery_version else None
    return PublishedImage((*published, *vhds.urls), version, regions)


def verified_tags(context: BuildContext, captured: CapturedImage, verdict: Verdict) -> dict[str, str]:
    """Return the tags that tell of a published image: what it was made from, that it is verified, and by how much.

    There is no expiry among them: nothing that looks for expired resources may find a published image.
    """
    inputs = {INPUTS_TAG: verdict.inputs} if verdict.inputs else {}
    run_tags = {name: value for name, value in context.run.tags.items() if name != EXPIRY_TAG}
    return {
        **context.template.image.tags,
        **run_tags,
        **inputs,
        VERDICT_TAG: VERIFIED,
        "vi-tests": str(verdict.tests),
        "vi-verified": format_time(datetime.now(UTC)),
        "vi-source": captured.plan.source.description[:256],
    }


def built_tags(captured: CapturedImage, scale_set: ScaleSet) -> dict[str, str]:
    """Return the tags that tell where the image was built and tested, and on which sizes."""
    rungs = {"vi-built-on": captured.plan.rung, "vi-tested-on": scale_set.rung}
    return {name: str(rung) for name, rung in rungs.items() if rung is not None}


def _publish_managed(context: BuildContext, captured: CapturedImage, image_id: str, tags: Mapping[str, str]) -> None:
    """Make the image anew from the same generalized VM: Azure copies no managed image into another group."""
    parsed = parse_id(image_id)
    context.undo.register("image", image_id, functools.partial(delete_own_image, context, image_id))
    place = replace(context.place, group=parsed.group, tags=tags)
    begin_image_from_machine(
        context.arm,
        place,
        parsed.name,
        machine_id=captured.machine_id,
        generation=captured.plan.source.generation,
        zone_resilient=context.template.image.managed is not None and context.template.image.managed.zone_resilient,
    ).result()


def _keep_os_disk(context: BuildContext, tags: Mapping[str, str]) -> tuple[str]:
    """Take the machine's OS disk out of what expires and is removed; return its id."""
    name = context.run.names.os_disk
    set_disk_tags(context.arm, context.place.group, name, tags)
    return (context.place.compute_id("disks", name),)


def _publish_version(
    context: BuildContext, captured: CapturedImage, target: GalleryTarget, tags: Mapping[str, str]
) -> tuple[str, ...]:
    version_id, security_type = captured.gallery_version or "", captured.plan.security_type
    # Azure wants the region that a version was made in to be among those that it is in.
    regions = tuple(dict.fromkeys((context.place.location, *target.regions)))
    special = {each.name: RegionWishes(each.replicas, each.disk_encryption_set) for each in target.target_regions}
    replication = Replication(
        regions,
        target.replicas,
        target.storage_account_type,
        target.end_of_life,
        target.exclude_from_latest,
        special,
        image_encryption(context.template, security_type),
    )
    promote_version(context.arm, version_id, replication, tags)
    seconds = target.timeout or PUBLISH_SECONDS
    deadline = Deadline(f"replication of image version '{parse_id(version_id).name}'", seconds)
    look = functools.partial(_look_at_regions, context, version_id)
    return wait_for(look, deadline, every=context.arm.connection.polling_interval)


def _look_at_regions(context: BuildContext, version_id: str, deadline: Deadline) -> tuple[str, ...] | None:
    version = find_version(context.arm, version_id, replication=True)
    if version is None:
        raise ConflictError(f"image version '{version_id}' was deleted while it was replicated")
    status: Mapping[str, Any] = version["properties"].get("replicationStatus") or {}
    summary: list[Mapping[str, Any]] = status.get("summary") or []
    seen = ", ".join(f"{region['region']} {region['state']}" for region in summary)
    if seen and seen != deadline.last_seen:
        context.output.step(f"replication: {seen}")
    deadline.saw(seen)
    if status.get("aggregatedState") == "Failed":
        details = "; ".join(f"{item['region']}: {item.get('details')}" for item in summary)
        raise CloudError(f"image version '{version_id}' could not be replicated: {details}", resource=version_id)
    if status.get("aggregatedState") != "Completed":
        return None
    return tuple(str(region["region"]).replace(" ", "").lower() for region in summary)
