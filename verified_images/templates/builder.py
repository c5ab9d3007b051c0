"""The ``builder`` of a template: the virtual machine that is provisioned, tested and captured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import (
    AddressRange,
    FrozenDict,
    MarketplaceName,
    ResourceGroupName,
    Seconds,
    Text,
    reveal,
)
from verified_images.templates.ladders import Locations, VmSizes, Zones, rungs_of
from verified_images.templates.sources import MarketplaceImage, Source
from verified_images.templates.tags import check_tags

# Azure's page "Frequently asked question about Windows Virtual Machines" and its Linux twin list these as refused.
_REFUSED_USERNAMES = re.compile(
    r"1|123|a|actuser|adm|admin[12]?|administrator|aspnet|backup|console|david|guest|john|owner|root|server|sql|"
    r"support|support_388945a0|sys|test[123]?|user[1-5]?|video",
    re.IGNORECASE,
)
# Azure: custom data and user data hold at most 64 KiB each.
_LARGEST_DATA = 65535


def _username(value: str) -> str:
    if _REFUSED_USERNAMES.fullmatch(value):
        raise wrong(f"Azure refuses the user name {value!r}; choose another, such as packer")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value, re.ASCII):
        raise wrong(f"{value!r} is not a Linux user name: 1 to 32 of a-z, 0-9, '_' and '-', not beginning with a digit")
    return value


def _machine_data(value: Text) -> Text:
    if (size := len(reveal(value).encode(errors="replace"))) > _LARGEST_DATA:
        raise wrong(f"{size} bytes are more than the {_LARGEST_DATA} that Azure takes")
    return value


MachineData = Annotated[Text, AfterValidator(_machine_data)]

LOCATION_OF_RESOURCE_GROUP = "resourcegroup"
"""The location of a builder that has a ``resource_group``: that of the group, which only Azure can tell."""


def _resource_id(kind: str) -> AfterValidator:
    provider, _, name = kind.partition("/")
    pattern = re.compile(
        rf"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/{re.escape(provider)}/{name}/[^/]+",
        re.ASCII | re.IGNORECASE,
    )

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise wrong(
                f"{value!r} is not the id of one of {kind}; it looks like "
                f"/subscriptions/<id>/resourceGroups/<group>/providers/{kind}/<name>"
            )
        return value

    return AfterValidator(check)


ManagedIdentityId = Annotated[str, _resource_id("Microsoft.ManagedIdentity/userAssignedIdentities")]
DiskEncryptionSetId = Annotated[str, _resource_id("Microsoft.Compute/diskEncryptionSets")]


class Plan(TemplateModel):
    """The purchase plan of a Marketplace image, whose terms the subscription must have accepted."""

    publisher: MarketplaceName
    """The plan's publisher."""
    product: MarketplaceName
    """The plan's product; most often the offer."""
    name: MarketplaceName
    """The plan's name; most often the SKU."""
    promotion_code: Text | None = None
    """A promotion code."""


class Spot(TemplateModel):
    """Build on a spot machine, which is cheap and which Azure may take back at any time."""

    eviction_policy: Literal["Deallocate", "Delete"] = "Delete"
    """What Azure does with a machine that it takes back."""
    max_price: Annotated[float, Field(ge=-1)] | None = None
    """The highest price by the hour, in US dollars; -1 or nothing means any price."""


class VirtualNetwork(TemplateModel):
    """An existing network to put the machine into, instead of a temporary one."""

    name: str
    """The virtual network's name."""
    subnet: str | None = None
    """The subnet's name; the only one there is unless given."""
    resource_group: ResourceGroupName | None = None
    """The network's resource group; the only one that has a network of that name unless given."""


class Builder(TemplateModel):
    """How the virtual machine is made that the image is captured from."""

    source: Source
    """The image to begin with: of the Marketplace, of a gallery, a managed image, or a VHD."""
    plan: Plan | None = None
    """The purchase plan, for Marketplace images that have one and images made from them."""
    vm_size: VmSizes
    """The size of the machine, such as Standard_B2s; of several, each is tried if the one before cannot be had."""
    location: Locations
    """The location of everything temporary, such as westeurope; of several, each is tried as sizes are."""
    zone: Zones | None = None
    """The availability zone, such as 1; of several, each is tried as sizes are. Azure's choice unless given."""
    security_type: Literal["Standard", "TrustedLaunch", "ConfidentialVM"] | None = None
    """The security type; what Azure takes for the source unless given."""
    username: Annotated[str, AfterValidator(_username)] = "packer"
    """The user that provisions the machine; it is removed before the capture."""
    os_disk_size_gb: Annotated[int, Field(ge=1, le=4095)] | None = None
    """The size of the OS disk in GiB; the source's unless given."""
    os_disk_type: Literal[
        "Standard_LRS",
        "StandardSSD_LRS",
        "Premium_LRS",
        "StandardSSD_ZRS",
        "Premium_ZRS",
    ] = "StandardSSD_LRS"
    """The storage of the OS disk; Premium ones need a size with an 's', such as Standard_B2s."""
    custom_data: MachineData | None = None
    """Text that cloud-init gets at the first boot."""
    user_data: MachineData | None = None
    """Text that the machine can read from its metadata service at any time."""
    ssh_timeout: Seconds = 1200.0
    """How long the machine may take until it answers over SSH."""
    allowed_inbound_ip_addresses: tuple[AddressRange, ...] = ()
    """Who may connect to the machine by SSH; only the caller's own address unless given."""
    public_ip: bool = True
    """Whether the machine gets a public IP address; without one it must be reachable in another way."""
    public_ip_sku: Literal["Basic", "Standard"] = "Standard"
    """The SKU of that address."""
    virtual_network: VirtualNetwork | None = None
    """An existing network for the machine; a temporary one unless given."""
    accelerated_networking: bool | None = None
    """Whether its network interface is accelerated; what Azure takes unless given."""
    os_type: Literal["Linux", "Windows"] = "Linux"
    """The operating system; Windows is loaded, and refused when the build is checked."""
    communicator: Literal["ssh", "winrm"] = "ssh"
    """How the machine is spoken to."""
    ssh_port: Annotated[int, Field(ge=1, le=65535)] = 22
    """The port on which the machine's SSH server listens."""
    pause_before_connecting: Seconds = 0.0
    """How long to wait before the first connection to the machine."""
    operation_timeout: Seconds | None = None
    """How long Azure may take for one operation, such as making the machine."""
    resource_group: ResourceGroupName | None = None
    """An existing resource group for everything temporary; a temporary one unless given."""
    tags: Annotated[Mapping[str, str], AfterValidator(check_tags)] = Field(default_factory=FrozenDict)
    """Tags of everything temporary, beside those of the run."""
    license_type: str | None = None
    """The license that Azure Hybrid Benefit is asked for with, such as RHEL_BYOS."""
    spot: Spot | None = None
    """Build on a spot machine."""
    user_assigned_managed_identities: tuple[ManagedIdentityId, ...] = ()
    """The ids of the managed identities that the machine gets."""
    os_disk_caching: Literal["None", "ReadOnly", "ReadWrite"] = "ReadWrite"
    """The caching of the OS disk and of the data disks."""
    keep_os_disk: bool = False
    """Whether the machine's OS disk is kept in the ``resource_group`` once the image is published."""
    data_disk_sizes_gb: tuple[Annotated[int, Field(ge=1, le=32767)], ...] = ()
    """The sizes of empty data disks in GiB; they become part of the image."""
    data_disk_luns: tuple[Annotated[int, Field(ge=0, le=63)], ...] = ()
    """The LUNs of the data disks; 0, 1, 2 unless given."""
    disk_controller_type: Literal["SCSI", "NVMe"] | None = None
    """The disk controller; what Azure takes for the size unless given."""
    disk_encryption_set: DiskEncryptionSetId | None = None
    """The id of the disk encryption set whose key encrypts the disks."""
    secure_boot: bool | None = None
    """Whether Secure Boot is on; what Azure takes for the security type unless given."""
    vtpm: bool | None = None
    """Whether there is a virtual TPM; what Azure takes for the security type unless given."""
    encryption_at_host: bool | None = None
    """Whether the host encrypts the disks' caches and temporary disks."""
    security_encryption_type: Literal["VMGuestStateOnly", "DiskWithVMGuestState"] | None = None
    """What is encrypted of a confidential machine; the guest's state alone unless given."""

    @model_validator(mode="after")
    def _plan_matches_source(self) -> Self:
        source = self.source
        if isinstance(source, MarketplaceImage) and self.plan and self.plan.publisher != source.publisher:
            raise wrong(
                f"plan.publisher '{self.plan.publisher}' is not that of the source, '{source.publisher}'",
            )
        return self

    @model_validator(mode="after")
    def _location_is_somewhere(self) -> Self:
        if LOCATION_OF_RESOURCE_GROUP not in rungs_of(self.location):
            return self
        if self.resource_group is None:
            raise wrong(f"the location '{LOCATION_OF_RESOURCE_GROUP}' needs 'resource_group'")
        if len(rungs_of(self.location)) > 1:
            raise wrong(f"the location '{LOCATION_OF_RESOURCE_GROUP}' stands alone: no other can be tried beside it")
        return self

    @model_validator(mode="after")
    def _each_data_disk_has_a_lun(self) -> Self:
        luns = self.data_disk_luns
        if luns and (len(luns) != len(self.data_disk_sizes_gb) or len(set(luns)) < len(luns)):
            raise wrong("'data_disk_luns' must hold one number for each of 'data_disk_sizes_gb', each once")
        return self
