"""The candidate version in a gallery: made under a number that no other build has, and removed only if it is ours."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from verified_images.cloud.galleries import (
    begin_candidate_version,
    delete_version,
    find_version,
    list_versions,
)
from verified_images.cloud.ids import parse_id
from verified_images.cloud.images import delete_image, find_image
from verified_images.cloud.versions import next_version
from verified_images.errors import ConflictError
from verified_images.naming import RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.galleries import ConfidentialEncryption
    from verified_images.stages.context import BuildContext

VERDICT_TAG = "vi-verdict"
CANDIDATE, VERIFIED = "candidate", "verified"

_MOST_TRIES = 10


def make_candidate_version(
    context: BuildContext, version_id: str, machine_id: str, confidential: ConfidentialEncryption | None = None
) -> str:
    """Make the candidate and return its ARM id: with ``version: auto``, of the next number if another build was first.

    Galleries know no If-None-Match, so whose version it is is told by its run tag once it is made.

    Raises:
        ConflictError: the version exists, and the template asks for that very one.
        CloudError: Azure refused it.
    """
    target = context.template.image.gallery
    conflicts: list[ConflictError] = []
    for _ in range(_MOST_TRIES):
        if _try_version(context, version_id, machine_id, conflicts, confidential):
            return version_id
        if target is None or target.version != "auto":
            break
        definition_id, _, _ = version_id.rpartition("/versions/")
        taken = [str(version["name"]) for version in list_versions(context.arm, definition_id)]
        version_id = f"{definition_id}/versions/{next_version(taken)}"
    name = parse_id(version_id).name
    raise ConflictError(
        f"another build has made image version '{name}' in the meantime; run again",
        operation="create image version",
        resource=version_id,
    ) from (conflicts[-1] if conflicts else None)


def _try_version(
    context: BuildContext,
    version_id: str,
    machine_id: str,
    conflicts: list[ConflictError],
    confidential: ConfidentialEncryption | None,
) -> bool:
    if find_version(context.arm, version_id) is not None:
        return False
    gallery = context.template.image.gallery
    context.undo.register("image version", version_id, functools.partial(delete_own_version, context, version_id))
    try:
        begin_candidate_version(
            context.arm,
            version_id,
            location=context.place.location,
            tags=candidate_tags(context),
            machine_id=machine_id,
            shallow=gallery is not None and gallery.shallow_replication,
            confidential=confidential,
        ).result()
    except ConflictError as conflict:
        if _is_ours(context, find_version(context.arm, version_id)):
            raise
        conflicts.append(conflict)
    else:
        # One that is not listed yet is as good as ours: clean-up asks again before it deletes.
        made = find_version(context.arm, version_id)
        if made is None or _is_ours(context, made):
            return True
    context.undo.forget(version_id)
    return False


def candidate_tags(context: BuildContext) -> dict[str, str]:
    """Return the tags of an image that is not verified yet."""
    return {**context.template.image.tags, **context.run.tags, VERDICT_TAG: CANDIDATE}


def delete_own_version(context: BuildContext, version_id: str) -> None:
    """Delete the image version unless it is another run's, or not there."""
    if _is_ours(context, find_version(context.arm, version_id)):
        delete_version(context.arm, version_id)


def delete_own_image(context: BuildContext, image_id: str) -> None:
    """Delete the managed image unless it is another run's, or not there."""
    if _is_ours(context, find_image(context.arm, image_id)):
        delete_image(context.arm, image_id)


def _is_ours(context: BuildContext, resource: Mapping[str, Any] | None) -> bool:
    return resource is not None and (resource.get("tags") or {}).get(RUN_TAG) == context.run.id
