"""The ``builder`` of a template: the virtual machine that is provisioned, tested and captured."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import (
    AddressRange,
    Location,
    MarketplaceName,
    Seconds,
    Text,
    VmSize,
    reveal,
)
from verified_images.templates.sources import MarketplaceImage, Source

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


class Builder(TemplateModel):
    """How the virtual machine is made that the image is captured from."""

    source: Source
    """The image to begin with: of the Marketplace, of a gallery, a managed image, or a VHD."""
    plan: Plan | None = None
    """The purchase plan, for Marketplace images that have one and images made from them."""
    vm_size: VmSize
    """The size of the machine, such as Standard_B2s."""
    location: Location
    """The location of everything temporary, such as westeurope."""
    security_type: Literal["Standard", "TrustedLaunch"] | None = None
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

    @model_validator(mode="after")
    def _plan_matches_source(self) -> Self:
        source = self.source
        if isinstance(source, MarketplaceImage) and self.plan and self.plan.publisher != source.publisher:
            raise wrong(
                f"plan.publisher '{self.plan.publisher}' is not that of the source, '{source.publisher}'",
            )
        return self
