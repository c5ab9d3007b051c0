"""The ``builder.source`` of a template: the four kinds of images that a build can begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Discriminator, Tag

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import (
    DefinitionName,
    GalleryName,
    ImageName,
    MarketplaceName,
    ResourceGroupName,
    SourceVersion,
    SubscriptionId,
)


class MarketplaceImage(TemplateModel):
    """An image of the Azure Marketplace."""

    publisher: MarketplaceName
    """The publisher, such as Debian."""
    offer: MarketplaceName
    """The offer, such as debian-12."""
    sku: MarketplaceName
    """The SKU, such as 12-gen2."""
    version: SourceVersion = "latest"
    """The version, three numbers, or latest, which is resolved once when the build begins."""


class GalleryImage(TemplateModel):
    """An image definition in an Azure Compute Gallery."""

    subscription: SubscriptionId | None = None
    """The gallery's subscription id; the build's own unless given."""
    resource_group: ResourceGroupName
    """The gallery's resource group."""
    gallery: GalleryName
    """The gallery's name."""
    definition: DefinitionName
    """The image definition's name."""
    version: SourceVersion = "latest"
    """The version, three numbers, or latest, which is resolved once when the build begins."""


class ManagedImage(TemplateModel):
    """A managed image."""

    subscription: SubscriptionId | None = None
    """The image's subscription id; the build's own unless given."""
    resource_group: ResourceGroupName
    """The image's resource group."""
    name: ImageName
    """The image's name."""


def _vhd_uri(value: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9][A-Za-z0-9.:-]*/\S+\.vhd", value, re.ASCII):
        raise wrong("a page blob's address is needed, such as https://account.blob.core.windows.net/vhds/a.vhd")
    return value


class VhdImage(TemplateModel):
    """A generalized VHD in a storage account."""

    uri: Annotated[str, AfterValidator(_vhd_uri)]
    """The blob's address, https://<account>.blob.core.windows.net/<container>/<name>.vhd."""
    generation: Literal["V1", "V2"] = "V1"
    """How machines boot from it: V1 by BIOS, V2 by UEFI."""


# The names hold a space so that they can never be taken for a key of the template.
_KINDS: dict[str, type[BaseModel]] = {
    "Marketplace image": MarketplaceImage,
    "gallery image": GalleryImage,
    "managed image": ManagedImage,
    "VHD blob": VhdImage,
}
# Keys that belong to one kind alone, so that two kinds in one source are seen.
_TELLING = {
    "publisher": "Marketplace image",
    "offer": "Marketplace image",
    "sku": "Marketplace image",
    "gallery": "gallery image",
    "definition": "gallery image",
    "name": "managed image",
    "uri": "VHD blob",
}


def _kind(value: object) -> str:
    """Return the kind that most keys speak for: a misspelt key must not turn one kind into another."""
    if not isinstance(value, Mapping):
        return next((kind for kind, model in _KINDS.items() if isinstance(value, model)), "Marketplace image")
    return max(_KINDS, key=lambda kind: len(value.keys() & _KINDS[kind].model_fields.keys()))


def _one_kind(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the template
    if isinstance(value, Mapping):
        if not value:
            raise wrong(
                "a source is needed: {publisher, offer, sku} of the Marketplace, "
                "{resource_group, gallery, definition}, {resource_group, name} of a managed image, or {uri} of a VHD",
            )
        found = {_TELLING[key]: key for key in reversed(value) if key in _TELLING}
        if len(found) > 1:
            keys = " and ".join(f"'{key}' (a {kind})" for kind, key in reversed(found.items()))
            raise wrong(f"one source is needed, not several: {keys} do not go together")
    return value


Source = Annotated[
    Annotated[MarketplaceImage, Tag("Marketplace image")]
    | Annotated[GalleryImage, Tag("gallery image")]
    | Annotated[ManagedImage, Tag("managed image")]
    | Annotated[VhdImage, Tag("VHD blob")],
    Discriminator(_kind),
    BeforeValidator(_one_kind),
]
"""What a build begins with; its keys tell which kind it is."""
