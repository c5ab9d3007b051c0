"""The ``image`` and ``smoke`` of a template: where the image goes, and the scale set that must run from it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import (
    DefinitionName,
    FrozenDict,
    GalleryName,
    ImageName,
    Location,
    Moment,
    ResourceGroupName,
    Seconds,
    SubscriptionId,
    TargetVersion,
    VmSize,
)

# Azure allows 50 tags on a resource; the run and the verdict need some of them.
_MOST_TAGS = 35
_LONGEST_TAG_NAME = 512
_LONGEST_TAG_VALUE = 256
_RESERVED_TAGS = ("vi-", "microsoft", "azure", "windows")


def _tags(tags: Mapping[str, str]) -> FrozenDict:
    if len(tags) > _MOST_TAGS:
        raise wrong(f"{len(tags)} tags are too many: {_MOST_TAGS} are possible beside those of the run")
    for name, value in tags.items():
        if not 0 < len(name) <= _LONGEST_TAG_NAME or any(character in r"<>%&\?/" for character in name):
            raise wrong(f"the tag name {name!r} is not allowed: 1 to {_LONGEST_TAG_NAME} characters, none of <>%&\\?/")
        if name.lower().startswith(_RESERVED_TAGS):
            raise wrong(f"the tag name {name!r} is reserved: it begins with one of {', '.join(_RESERVED_TAGS)}")
        if len(value) > _LONGEST_TAG_VALUE:
            raise wrong(f"the value of the tag {name!r} is longer than {_LONGEST_TAG_VALUE} characters")
    if len({name.lower() for name in tags}) < len(tags):
        raise wrong("two tags have the same name; Azure does not tell upper from lower case in it")
    return FrozenDict(tags)


def _each_once(regions: tuple[str, ...]) -> tuple[str, ...]:
    for region in regions:
        if regions.count(region) > 1:
            raise wrong(f"the region '{region}' is listed twice")
    return regions


class GalleryTarget(TemplateModel):
    """A version to be published in an Azure Compute Gallery; its image definition must exist."""

    subscription: SubscriptionId | None = None
    """The gallery's subscription id; the build's own unless given."""
    resource_group: ResourceGroupName
    """The gallery's resource group."""
    gallery: GalleryName
    """The gallery's name."""
    definition: DefinitionName
    """The image definition's name."""
    version: TargetVersion = "auto"
    """The version X.Y.Z, or auto, the next patch number after the latest."""
    regions: Annotated[tuple[Location, ...], AfterValidator(_each_once)] = ()
    """The regions to replicate to; the build's location unless given."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Replicas in each region; Azure advises one for every 20 machines that start at once."""
    storage_account_type: Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS"] = "Standard_LRS"
    """The storage of the replicas."""
    end_of_life: Moment | None = None
    """The date after which the version should not be used."""


class ManagedTarget(TemplateModel):
    """A managed image to be published; none of that name may exist."""

    resource_group: ResourceGroupName
    """The resource group, which must exist."""
    name: ImageName
    """The image's name, such as debian-nginx-{{ run.id }}."""


class ImageTarget(TemplateModel):
    """Where the image goes: a gallery, a managed image, or both."""

    gallery: GalleryTarget | None = None
    """Publish a version in an Azure Compute Gallery."""
    managed: ManagedTarget | None = None
    """Publish a managed image."""
    tags: Annotated[Mapping[str, str], AfterValidator(_tags)] = Field(default_factory=FrozenDict)
    """Tags of what is published, beside those of the run."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.gallery is None and self.managed is None:
            raise wrong("a target is needed: 'gallery', 'managed' or both")
        return self


def _path(value: str) -> str:
    if not value.startswith("/") or any(character.isspace() for character in value):
        raise wrong(f"{value!r} is not the path of a URL: it begins with '/' and holds no space")
    return value


class Smoke(TemplateModel):
    """The throwaway scale set that is made from the image and tested before anything is published."""

    instances: Annotated[int, Field(ge=1, le=100)] = 2
    """How many instances."""
    orchestration: Literal["uniform", "flexible"] = "uniform"
    """The scale set's orchestration mode."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The TCP port that the load balancer serves and probes; without one only SSH leads to the instances."""
    path: Annotated[str, AfterValidator(_path)] = "/"
    """The path that the health probe asks for on ``port``."""
    vm_size: VmSize | None = None
    """The size of the instances; the builder's unless given."""
    timeout: Seconds = 900.0
    """How long the instances may take until all are healthy."""

    @model_validator(mode="after")
    def _path_needs_port(self) -> Self:
        if "path" in self.model_fields_set and self.port is None:
            raise wrong("'path' has no effect without 'port'")
        return self
