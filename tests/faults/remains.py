"""What is there after a build or a session that must not be, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from verified_images.cloud.operations import Arm
from verified_images.cloud.tagged import list_tagged
from verified_images.naming import EXPIRY_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from verified_images.cloud.connection import CloudConnection


def find_wrongs(connection: CloudConnection, tag: tuple[str, str], number: int, *, passed: bool) -> Iterator[str]:
    """Say what is wrong: with whatever carries the tag, and at both targets of a build that publishes ``number``."""
    name, value = tag
    targets = targets_of(connection, number)
    lower = {target.lower() for target in targets}
    found = [item.id for item in list_tagged(Arm(connection, lambda _: None), name) if item.tags[name] == value]
    if left := [one for one in found if one.lower() not in lower]:
        yield f"left: {left}"
    images = {target: _read(connection, target) for target in targets}
    if passed:
        yield from (f"it passed, but there is no {target}" for target, image in images.items() if image is None)
    for target, image in images.items():
        if image is not None and not _is_verified(image):
            yield f"unverified at the target {target}: {image['tags']}, {image['properties']['provisioningState']}"


def targets_of(connection: CloudConnection, number: int) -> tuple[str, str]:
    """Give the ids of the images that a build publishes."""
    base = f"/subscriptions/{connection.subscription_id}/resourceGroups/images/providers/Microsoft.Compute"
    return f"{base}/galleries/golden/images/web/versions/1.0.{number}", f"{base}/images/web-{number}"


def _read(connection: CloudConnection, target: str) -> Mapping[str, Any] | None:
    name = target.rpartition("/")[2]
    compute = connection.compute
    try:
        if "/versions/" in target:
            return dict(compute.gallery_image_versions.get("images", "golden", "web", name))
        return dict(compute.images.get("images", name))
    except ResourceNotFoundError:
        return None


def _is_verified(image: Mapping[str, Any]) -> bool:
    tags = image.get("tags") or {}
    verified = tags.get("vi-verdict") == "verified" and EXPIRY_TAG not in tags
    return bool(verified and image["properties"]["provisioningState"] == "Succeeded")
