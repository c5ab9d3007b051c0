"""Where a build is made: in a group of its own, or in one that exists, whose location only Azure can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from verified_images.cloud.groups import find_location
from verified_images.errors import PreflightError
from verified_images.templates.model import LOCATION_OF_RESOURCE_GROUP

if TYPE_CHECKING:
    from verified_images.stages.context import BuildContext


def locate(context: BuildContext) -> BuildContext:
    """Return the context with the location of the builder's ``resource_group``, where the template leaves it to that.

    Raises:
        PreflightError: there is no such group.
    """
    builder = context.template.builder
    if builder.resource_group is None or builder.location != LOCATION_OF_RESOURCE_GROUP:
        return context
    location = find_location(context.arm, builder.resource_group)
    if location is None:
        raise PreflightError([f"builder.resource_group: there is no resource group '{builder.resource_group}'"])
    template = context.template.model_copy(update={"builder": builder.model_copy(update={"location": location})})
    return replace(context, template=template, place=replace(context.place, location=location))
