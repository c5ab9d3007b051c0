"""What is published already: images that were verified with the very same inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.cloud.ids import is_inside, resource_id
from verified_images.cloud.tagged import list_tagged
from verified_images.naming import INPUTS_TAG
from verified_images.stages.candidate import VERDICT_TAG, VERIFIED
from verified_images.stages.vhd import find_published_vhds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.stages.context import BuildContext


def find_published(context: BuildContext, inputs: str) -> tuple[str, ...]:
    """Return the images at the template's targets that were verified with these inputs: ARM ids, and VHDs' addresses.

    Where the template has several targets, there is nothing unless each has such an image.

    Raises:
        CloudError: ARM could not be asked.
    """
    wanted = {INPUTS_TAG: inputs, VERDICT_TAG: VERIFIED}
    same = [item.id for item in list_tagged(context.arm, INPUTS_TAG) if wanted.items() <= dict(item.tags).items()]
    found = [[one for one in same if is_inside(one, target)] for target in _targets(context)]
    if vhd := context.template.image.vhd:
        found.append(list(find_published_vhds(context, vhd, inputs)))
    return tuple(one for ids in found for one in ids) if all(found) else ()


def _targets(context: BuildContext) -> Iterator[str]:
    image, subscription = context.template.image, context.place.subscription
    if image.gallery is not None:
        names = (image.gallery.gallery, image.gallery.definition)
        owner = image.gallery.subscription or subscription
        yield resource_id(owner, image.gallery.resource_group, "Microsoft.Compute/galleries/images", *names)
    if image.managed is not None:
        group = image.managed.resource_group
        yield f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/images"
