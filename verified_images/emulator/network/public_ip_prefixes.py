"""Public IP prefixes: ranges that public addresses can be taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network import api_versions
from verified_images.emulator.network.addresses import allocate_public_prefix, allocate_public_prefix_6
from verified_images.emulator.network.kind import NetworkKind
from verified_images.emulator.network.part import canonical
from verified_images.emulator.network.references import (
    NAT_GATEWAY,
    PUBLIC_ADDRESS,
    PUBLIC_PREFIX,
    referrers_of_type,
)
from verified_images.emulator.operations import NETWORK

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_LENGTHS = {"IPv4": range(24, 32), "IPv6": range(124, 128)}


class PublicIPPrefixes(NetworkKind):
    """Microsoft.Network/publicIPPrefixes. The range is given at creation and shown once that is done."""

    type: ClassVar[str] = PUBLIC_PREFIX
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=3, retry_delete=10)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.since("2018-07-01")

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check SKU and length, which cannot change, and take a range."""
        sku = resource.body.get("sku") or {}
        resource.body["sku"] = {"name": sku.get("name", "Standard"), "tier": sku.get("tier", "Regional")}
        length = given.get("prefixLength")
        version = canonical(given.get("publicIPAddressVersion", "IPv4"), ("IPv4", "IPv6"))
        lengths = _LENGTHS[version]
        if not isinstance(length, int) or length not in lengths:
            raise network_error(
                400,
                "PublicIpPrefixLengthOutOfRange",
                f"Prefix length {length} of public IP prefix {resource.id} is out of range {lengths[0]}-{lengths[-1]}.",
            )
        if existing and existing.properties["prefixLength"] != length:
            raise network_error(
                400,
                "PublicIpPrefixLengthCannotBeChanged",
                f"The prefix length of public IP prefix {resource.id} cannot be changed.",
            )
        if not existing:
            allocate = allocate_public_prefix_6 if version == "IPv6" else allocate_public_prefix
            resource.hidden["prefix"] = str(allocate(cloud, length))
        shown = {"ipPrefix": existing.properties["ipPrefix"]} if existing and "ipPrefix" in existing.properties else {}
        return {"prefixLength": length, "publicIPAddressVersion": version, **shown, "ipTags": given.get("ipTags") or []}

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Let the range be seen."""
        with cloud.store.changing(resource.id) as found:
            if found:
                tags = found.properties.pop("ipTags")
                found.properties.update({"ipPrefix": found.hidden["prefix"], "ipTags": tags})

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the addresses of the range that are taken, and the NAT gateway that has it."""
        addresses = [{"id": str(found.id)} for found in referrers_of_type(cloud, resource.id, PUBLIC_ADDRESS)]
        shown: dict[str, Any] = {"publicIPAddresses": addresses} if addresses else {}
        for gateway in referrers_of_type(cloud, resource.id, NAT_GATEWAY):
            shown["natGateway"] = {"id": str(gateway.id)}
        return shown

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while an address is of the range or a NAT gateway has it."""
        users = [
            found for kind in (PUBLIC_ADDRESS, NAT_GATEWAY) for found in referrers_of_type(cloud, resource.id, kind)
        ]
        if users:
            raise network_error(
                400,
                "PublicIPPrefixCannotBeDeleted",
                f"Public IP prefix {resource.id} can not be deleted since it is still allocated to resource "
                f"{users[0].id}.",
            )
