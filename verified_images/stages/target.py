"""The targets of a build, as they are before it: there, agreeing with the source, and free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.cloud.galleries import find_definition, list_versions
from verified_images.cloud.groups import group_exists
from verified_images.cloud.ids import resource_id
from verified_images.cloud.images import find_image
from verified_images.cloud.versions import next_version
from verified_images.errors import PreflightError
from verified_images.stages.security import definition_problems
from verified_images.stages.source import security_type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.stages.context import BuildContext
    from verified_images.stages.source import PinnedSource
    from verified_images.templates.model import GalleryTarget, ManagedTarget


@dataclass(frozen=True, slots=True)
class GalleryPlan:
    """The gallery version to be made: its id, and what its definition demands of it."""

    version_id: str
    generation: str
    architecture: str
    security_type: str | None


def plan_gallery(context: BuildContext, target: GalleryTarget) -> GalleryPlan:
    """Return the version to be made, the next free one for ``version: auto``.

    Raises:
        PreflightError: the definition takes no such images, or the version exists.
        CloudError: the definition does not exist, or ARM refused to tell.
    """
    definition_id = definition_of(context, target)
    definition = find_definition(context.arm, definition_id)["properties"]
    taken = [str(version["name"]) for version in list_versions(context.arm, definition_id)]
    version = next_version(taken) if target.version == "auto" else target.version
    problems = [*_definition_problems(definition, target)]
    if version in taken:
        problems.append(
            f"image.gallery.version: '{target.definition}' has a version {version} already; versions are never "
            "overwritten, so choose another or write auto"
        )
    if problems:
        raise PreflightError(problems)
    return GalleryPlan(
        f"{definition_id}/versions/{version}",
        str(definition.get("hyperVGeneration") or "V1"),
        str(definition.get("architecture") or "x64"),
        security_type_of(definition),
    )


def plan_managed(context: BuildContext, target: ManagedTarget) -> str:
    """Return the id of the managed image to be made.

    Raises:
        PreflightError: its group does not exist, or it does.
        CloudError: ARM refused to tell.
    """
    image_id = resource_id(context.place.subscription, target.resource_group, "Microsoft.Compute/images", target.name)
    if not group_exists(context.arm, target.resource_group):
        raise PreflightError([f"image.managed.resource_group: there is no resource group '{target.resource_group}'"])
    if find_image(context.arm, image_id) is not None:
        where = f"'{target.name}' exists in '{target.resource_group}' already"
        raise PreflightError([f"image.managed.name: {where}; delete it, or put {{{{ run.id }}}} into the name"])
    return image_id


def definition_of(context: BuildContext, target: GalleryTarget) -> str:
    """Return the ARM id of the image definition that the target names."""
    return resource_id(
        target.subscription or context.place.subscription,
        target.resource_group,
        "Microsoft.Compute/galleries/images",
        target.gallery,
        target.definition,
    )


def compare(source: PinnedSource, plan: GalleryPlan, security_type: str | None) -> Iterator[str]:
    """Yield a sentence for each way in which the gallery's definition would refuse an image of the source."""
    if source.generation != plan.generation:
        yield (
            f"image.gallery.definition: it takes generation {plan.generation}, "
            f"but the source {source.description} is of {source.generation}"
        )
    if source.architecture != plan.architecture:
        yield (
            f"image.gallery.definition: it takes {plan.architecture}, "
            f"but the source {source.description} is {source.architecture}"
        )
    yield from definition_problems(security_type, plan.security_type)


def shallow_problems(target: GalleryTarget, location: str) -> Iterator[str]:
    """Yield a sentence for each wish that a version of shallow replication, made in this location, cannot grant."""
    if not target.shallow_replication:
        return
    if elsewhere := sorted({*target.regions} - {location}):
        yield f"image.gallery.shallow_replication: such a version stays in '{location}'; remove {', '.join(elsewhere)}"
    if target.replicas > 1 or any((region.replicas or 1) > 1 for region in target.target_regions):
        yield "image.gallery.replicas: a version of shallow replication has one replica"


def _definition_problems(definition: Mapping[str, Any], target: GalleryTarget) -> Iterator[str]:
    if (system := definition.get("osType") or "Linux") != "Linux":
        yield f"image.gallery.definition: '{target.definition}' is of {system}; only Linux can be built"
    state, made = definition.get("osState") or "Generalized", "Specialized" if target.specialized else "Generalized"
    if state != made:
        yield (
            f"image.gallery.definition: '{target.definition}' takes {state} images, but they are {made.lower()}; "
            f"{'remove' if target.specialized else 'set'} image.gallery.specialized, or use another definition"
        )
