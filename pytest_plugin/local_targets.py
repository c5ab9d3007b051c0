"""What a template's target takes for granted, made on the local cloud.

On Azure somebody has made the gallery long before. A local cloud begins empty, and belongs to its user alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.galleries import find_definition
from verified_images.cloud.groups import create_group, group_exists
from verified_images.cloud.ids import resource_id
from verified_images.cloud.images import find_image
from verified_images.cloud.marketplace import read_image, resolve_version
from verified_images.cloud.operations import Arm
from verified_images.errors import NotFoundError
from verified_images.templates.model import GalleryImage, ManagedImage, MarketplaceImage, rungs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.connection import CloudConnection
    from verified_images.cloud.operations import Body
    from verified_images.stages.output import Output
    from verified_images.templates.model import GalleryTarget, Template

DEFINITION = "Microsoft.Compute/galleries/images"


def create_targets(connection: CloudConnection, template: Template, output: Output) -> None:
    """Create the resource groups, the gallery and the image definition that the template names, where missing.

    Raises:
        CloudError: the local cloud refused something.
    """
    arm = Arm(connection, output.step)
    location = rungs_of(template.builder.location)[0]
    for target in (template.image.gallery, template.image.managed):
        if target is not None and not group_exists(arm, target.resource_group):
            output.step(f"creating resource group '{target.resource_group}' on the local cloud")
            create_group(arm, target.resource_group, location, {})
    gallery = template.image.gallery
    if gallery is not None and not _definition_exists(arm, gallery):
        output.step(f"creating image definition '{gallery.definition}' in '{gallery.gallery}' on the local cloud")
        _create_definition(arm, gallery, template)


def _definition_exists(arm: Arm, target: GalleryTarget) -> bool:
    try:
        find_definition(arm, _id_of(arm, target))
    except NotFoundError:
        return False
    return True


def _create_definition(arm: Arm, target: GalleryTarget, template: Template) -> None:
    """Create an image definition that takes images of the template's source."""
    source = _describe_source(arm, template)
    properties: dict[str, Any] = {
        "osType": "Linux",
        "osState": "Specialized" if target.specialized else "Generalized",
        "hyperVGeneration": source.get("hyperVGeneration") or "V1",
        "architecture": source.get("architecture") or "x64",
        "identifier": {"publisher": "verified-images", "offer": target.gallery, "sku": target.definition},
    }
    if template.builder.security_type:
        properties["features"] = [{"name": "SecurityType", "value": template.builder.security_type}]
    place: Body = {"location": rungs_of(template.builder.location)[0]}
    group, gallery = target.resource_group, target.gallery
    definition: Body = {**place, "properties": properties}
    compute = arm.connection.compute
    arm.run(
        "create gallery",
        gallery,
        lambda: compute.galleries.begin_create_or_update(group, gallery, place),
    )
    arm.run(
        "create image definition",
        target.definition,
        lambda: compute.gallery_images.begin_create_or_update(group, gallery, target.definition, definition),
    )


def _describe_source(arm: Arm, template: Template) -> Mapping[str, Any]:
    """Give the properties of the template's source: the generation of its disk, and its architecture."""
    location = rungs_of(template.builder.location)[0]
    match template.builder.source:
        case MarketplaceImage() as source:
            urn = (source.publisher, source.offer, source.sku)
            return read_image(arm, location, urn, resolve_version(arm, location, urn, source.version))
        case GalleryImage() as source:
            properties: Mapping[str, Any] = find_definition(arm, _id_of(arm, source))["properties"]
            return properties
        case ManagedImage() as source:
            subscription = arm.connection.subscription_id
            found = find_image(
                arm, resource_id(subscription, source.resource_group, "Microsoft.Compute/images", source.name)
            )
            return (found or {}).get("properties") or {}
        case _:
            return {}


def _id_of(arm: Arm, image: GalleryImage | GalleryTarget) -> str:
    subscription = arm.connection.subscription_id
    return resource_id(subscription, image.resource_group, DEFINITION, image.gallery, image.definition)
