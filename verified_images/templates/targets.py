"""The ``image`` and ``smoke`` of a template: where the image goes, and the scale set that must run from it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.builder import DiskEncryptionSetId
from verified_images.templates.fields import (
    ContainerName,
    DefinitionName,
    FrozenDict,
    GalleryName,
    ImageName,
    Location,
    Moment,
    ResourceGroupName,
    Seconds,
    SnapshotName,
    SnapshotPrefix,
    StorageAccountName,
    SubscriptionId,
    TargetVersion,
)
from verified_images.templates.ladders import VmSizes, Zones
from verified_images.templates.tags import check_tags


def _each_once(regions: tuple[str, ...]) -> tuple[str, ...]:
    for region in regions:
        if regions.count(region) > 1:
            raise wrong(f"the region '{region}' is listed twice")
    return regions


class TargetRegion(TemplateModel):
    """A region that a gallery version is replicated to, with what is special about it."""

    name: Location
    """The region."""
    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    """Replicas in this region; the target's number unless given."""
    disk_encryption_set: DiskEncryptionSetId | None = None
    """The id of the disk encryption set whose key encrypts the replicas."""


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
    target_regions: tuple[TargetRegion, ...] = ()
    """What is special about some of the regions."""
    exclude_from_latest: bool = False
    """Whether "latest" never means the version, also after it was published."""
    shallow_replication: bool = False
    """Whether the version is published quickly, in the build's location alone."""
    specialized: bool = False
    """Whether the image is captured as it is, with its users and keys, for a specialized definition."""
    confidential_vm_encryption: (
        Literal["EncryptedVMGuestStateOnlyWithPmk", "EncryptedWithPmk", "EncryptedWithCmk"] | None
    ) = None
    """What is encrypted of the images of confidential machines; the same as of the machine unless given."""
    timeout: Seconds | None = None
    """How long publishing may take."""


class ManagedTarget(TemplateModel):
    """A managed image to be published; none of that name may exist."""

    resource_group: ResourceGroupName
    """The resource group, which must exist."""
    name: ImageName
    """The image's name, such as debian-nginx-{{ run.id }}."""
    zone_resilient: bool = False
    """Whether the image is kept in zone-redundant storage."""
    os_disk_snapshot: SnapshotName | None = None
    """The name of a snapshot of the OS disk to be made beside the image."""
    data_disk_snapshot_prefix: SnapshotPrefix | None = None
    """The beginning of the names of snapshots of the data disks to be made beside the image."""


class VhdTarget(TemplateModel):
    """VHDs of the disks to be published in a storage account's container, which must exist, in the build's location."""

    resource_group: ResourceGroupName
    """The storage account's resource group."""
    storage_account: StorageAccountName
    """The storage account's name."""
    container: ContainerName
    """The container's name."""
    name_prefix: str = "vhd"
    """The beginning of the blobs' names: the OS disk's is PREFIX-osDisk.UUID.vhd, a data disk's has its LUN."""
    copy_timeout: Seconds = 86400.0
    """How long the copying may take; Azure grants access to the disk for this time."""


class ImageTarget(TemplateModel):
    """Where the image goes: a gallery, a managed image, a VHD, or several of them."""

    gallery: GalleryTarget | None = None
    """Publish a version in an Azure Compute Gallery."""
    managed: ManagedTarget | None = None
    """Publish a managed image."""
    vhd: VhdTarget | None = None
    """Publish a VHD."""
    skip: bool = False
    """Whether to end after the machine's tests, without an image."""
    tags: Annotated[Mapping[str, str], AfterValidator(check_tags)] = Field(default_factory=FrozenDict)
    """Tags of what is published, beside those of the run."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.gallery is None and self.managed is None and self.vhd is None and not self.skip:
            raise wrong("a target is needed: 'gallery', 'managed', 'vhd' or several")
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
    vm_size: VmSizes | None = None
    """The size of the instances, or several to be tried in order; the builder's unless given."""
    zone: Zones | None = None
    """The availability zone of the instances, or several to be tried in order; the builder's unless given."""
    timeout: Seconds = 900.0
    """How long the instances may take until all are healthy."""

    @model_validator(mode="after")
    def _path_needs_port(self) -> Self:
        if "path" in self.model_fields_set and self.port is None:
            raise wrong("'path' has no effect without 'port'")
        return self
