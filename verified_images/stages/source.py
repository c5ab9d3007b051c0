"""The source image of a build, pinned to one exact version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.cloud.galleries import find_definition, find_version, list_versions
from verified_images.cloud.ids import resource_id
from verified_images.cloud.images import find_image
from verified_images.cloud.marketplace import are_terms_accepted, read_image, resolve_version
from verified_images.cloud.versions import latest_version
from verified_images.errors import NotFoundError, PreflightError
from verified_images.templates.model import GalleryImage, ManagedImage, MarketplaceImage, VhdImage, reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.stages.context import BuildContext
    from verified_images.templates.model import Plan


@dataclass(frozen=True, slots=True)
class PinnedSource:
    """The source image at one exact version.

    ``reference`` is the VM's ``imageReference`` in wire shape; ``generation`` "V1" or "V2"; ``architecture``
    "x64" or "Arm64"; ``purchase_plan`` the VM's ``plan`` in wire shape, where the image asks for one; ``vhd``
    the blob's address where the source is a VHD, which becomes an image of the build's own first; ``security_type`` its
    feature SecurityType, if it has one.
    """

    description: str
    version: str
    reference: Mapping[str, Any]
    generation: str
    architecture: str
    purchase_plan: Mapping[str, str] | None = None
    vhd: str | None = None
    security_type: str | None = None


def pin_source(context: BuildContext) -> PinnedSource:
    """Return the template's source with "latest" resolved.

    Raises:
        PreflightError: a machine cannot be made from it.
        CloudError: ARM refused to tell of it.
    """
    match context.template.builder.source:
        case MarketplaceImage() as source:
            return _pin_marketplace_image(context, source)
        case GalleryImage() as source:
            return _pin_gallery_image(context, source)
        case ManagedImage() as source:
            return _pin_managed_image(context, source)
        case VhdImage() as source:
            return PinnedSource(source.uri, source.uri, {}, source.generation, "x64", vhd=source.uri)


def _pin_marketplace_image(context: BuildContext, source: MarketplaceImage) -> PinnedSource:
    builder, urn = context.template.builder, (source.publisher, source.offer, source.sku)
    location = context.place.location
    version = resolve_version(context.arm, location, urn, source.version)
    image = read_image(context.arm, location, urn, version)
    _check_plan(context, image.get("plan"))
    return PinnedSource(
        description=":".join((*urn, version)),
        version=version,
        reference={"publisher": urn[0], "offer": urn[1], "sku": urn[2], "version": version},
        generation=str(image.get("hyperVGeneration") or "V1"),
        architecture=str(image.get("architecture") or "x64"),
        purchase_plan=_wire_plan(builder.plan),
        security_type=security_type_of(image),
    )


def _pin_gallery_image(context: BuildContext, source: GalleryImage) -> PinnedSource:
    builder = context.template.builder
    subscription = source.subscription or context.place.subscription
    definition_id = resource_id(
        subscription,
        source.resource_group,
        "Microsoft.Compute/galleries/images",
        source.gallery,
        source.definition,
    )
    definition = find_definition(context.arm, definition_id)["properties"]
    _check_generalized_linux(definition, f"the image definition '{source.definition}'")
    version = _pin_gallery_version(context, definition_id, source.version)
    return PinnedSource(
        description=f"{source.gallery}/{source.definition}/{version}",
        version=version,
        reference={"id": f"{definition_id}/versions/{version}"},
        generation=str(definition.get("hyperVGeneration") or "V1"),
        architecture=str(definition.get("architecture") or "x64"),
        purchase_plan=_wire_plan(builder.plan),
        security_type=security_type_of(definition),
    )


def _pin_gallery_version(context: BuildContext, definition_id: str, version: str) -> str:
    location = context.place.location
    if version != "latest":
        found = find_version(context.arm, f"{definition_id}/versions/{version}")
        if found is None:
            raise NotFoundError(f"'{definition_id}' has no version {version}", resource=definition_id)
        if not _is_in(found, location):
            raise PreflightError([f"builder.source: version {version} is not replicated to '{location}'"])
        return version
    usable = [str(item["name"]) for item in list_versions(context.arm, definition_id) if _is_usable(item, location)]
    latest = latest_version(usable)
    if latest is None:
        raise NotFoundError(
            f"'{definition_id}' has no version in '{location}' that latest may find", resource=definition_id
        )
    return latest


def _pin_managed_image(context: BuildContext, source: ManagedImage) -> PinnedSource:
    builder = context.template.builder
    subscription = source.subscription or context.place.subscription
    image_id = resource_id(subscription, source.resource_group, "Microsoft.Compute/images", source.name)
    image = find_image(context.arm, image_id)
    if image is None:
        raise NotFoundError(f"there is no managed image '{image_id}'", resource=image_id)
    if str(image["location"]).replace(" ", "").lower() != context.place.location:
        raise PreflightError(
            [f"builder.source: the image '{source.name}' is in '{image['location']}', not '{context.place.location}'"]
        )
    properties = image["properties"]
    _check_generalized_linux((properties.get("storageProfile") or {}).get("osDisk") or {}, f"the image '{source.name}'")
    return PinnedSource(
        description=f"managed image {source.name}",
        version=image_id,
        reference={"id": image_id},
        generation=str(properties.get("hyperVGeneration") or "V1"),
        architecture="x64",
        purchase_plan=_wire_plan(builder.plan),
    )


def security_type_of(image: Mapping[str, Any]) -> str | None:
    """Return the feature SecurityType of a Marketplace image or of an image definition, in wire shape, if it has it."""
    features: list[Mapping[str, str]] = image.get("features") or []
    return next((feature["value"] for feature in features if feature.get("name") == "SecurityType"), None)


def _check_generalized_linux(facts: Mapping[str, Any], what: str) -> None:
    problems = []
    if str(facts.get("osType") or "Linux") != "Linux":
        problems.append(f"builder.source: {what} is of {facts['osType']}; only Linux can be built")
    if str(facts.get("osState") or "Generalized") != "Generalized":
        problems.append(f"builder.source: {what} is specialized; Azure sets no user and key up in it")
    if problems:
        raise PreflightError(problems)


def _check_plan(context: BuildContext, asked: Mapping[str, Any] | None) -> None:
    plan = context.template.builder.plan
    if asked and plan is None:
        wanted = f"{{publisher: {asked['publisher']}, product: {asked['product']}, name: {asked['name']}}}"
        raise PreflightError([f"builder.plan: the image asks for a plan; write {wanted}"])
    if plan and not are_terms_accepted(context.arm, plan.publisher, plan.product, plan.name):
        command = f"az vm image terms accept --publisher {plan.publisher} --offer {plan.product} --plan {plan.name}"
        raise PreflightError([f"builder.plan: nobody has accepted the terms of '{plan.name}'; run {command}"])


def _wire_plan(plan: Plan | None) -> Mapping[str, str] | None:
    if plan is None:
        return None
    wire = {"publisher": plan.publisher, "product": plan.product, "name": plan.name}
    return {**wire, "promotionCode": reveal(plan.promotion_code)} if plan.promotion_code else wire


def _is_usable(version: Mapping[str, Any], location: str) -> bool:
    properties = version["properties"]
    return (
        properties.get("provisioningState") == "Succeeded"
        and not (properties.get("publishingProfile") or {}).get("excludeFromLatest")
        and _is_in(version, location)
    )


def _is_in(version: Mapping[str, Any], location: str) -> bool:
    regions = (version["properties"].get("publishingProfile") or {}).get("targetRegions") or []
    # ARM answers with display names, "West Europe" for westeurope.
    return location in [str(region["name"]).replace(" ", "").lower() for region in regions]
