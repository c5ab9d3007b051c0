"""What a template's target takes for granted, made on the local cloud.

On Azure somebody has made the gallery long before. A local cloud begins empty, and belongs to its user alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.blobs import open_container
from verified_images.cloud.galleries import find_definition
from verified_images.cloud.groups import create_group, group_exists
from verified_images.cloud.ids import resource_id
from verified_images.cloud.images import find_image
from verified_images.cloud.marketplace import read_image, resolve_version
from verified_images.cloud.operations import Arm
from verified_images.cloud.storage_accounts import create_account, find_account
from verified_images.errors import NotFoundError
from verified_images.templates.model import GalleryImage, ManagedImage, MarketplaceImage, rungs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.connection import CloudConnection
    from verified_images.cloud.operations import Body
    from verified_images.stages.output import Output
    from verified_images.templates.model import GalleryTarget, Template, VhdTarget

DEFINITION = "Microsoft.Compute/galleries/images"


def create_targets(connection: CloudConnection, template: Template, output: Output) -> None:
    """Create what the template's targets name, where missing: resource groups, an image definition, a container.

    Raises:
        CloudError: the local cloud refused something.
    """
    arm = Arm(connection, output.step)
    location = rungs_of(template.builder.location)[0]
    for target in (template.image.gallery, template.image.managed, template.image.vhd):
        if target is not None and not group_exists(arm, target.resource_group):
            output.step(f"creating resource group '{target.resource_group}' on the local cloud")
            create_group(arm, target.resource_group, location, {})
    gallery = template.image.gallery
    if gallery is not None and not _definition_exists(arm, gallery):
        output.step(f"creating image definition '{gallery.definition}' in '{gallery.gallery}' on the local cloud")
        _create_definition(arm, gallery, template)
    if template.image.vhd is not None:
        _create_container(arm, template.image.vhd, location, output)


def _create_container(arm: Arm, target: VhdTarget, location: str, output: Output) -> None:
    subscription, kind = arm.connection.subscription_id, "Microsoft.Storage/storageAccounts"
    account_id = resource_id(subscription, target.resource_group, kind, target.storage_account)
    if find_account(arm, account_id) is None:
        output.step(f"creating storage account '{target.storage_account}' on the local cloud")
        create_account(arm, account_id, location)
    if account := find_account(arm, account_id):
        container = open_container(arm, account, target.container)
        if not container.exists():
            container.create()


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
