"""NAT gateways: the way out of a subnet. What comes in is not their business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network import api_versions
from verified_images.emulator.network.kind import NetworkKind, require
from verified_images.emulator.network.public_ip_addresses import check_free
from verified_images.emulator.network.references import NAT_GATEWAY, subnets_naming
from verified_images.emulator.operations import NETWORK

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_IDLE_MINUTES = range(4, 121)
_REFERENCES = {"publicIpAddresses": "publicIPAddresses", "publicIpPrefixes": "publicIPPrefixes"}


class NatGateways(NetworkKind):
    """Microsoft.Network/natGateways."""

    type: ClassVar[str] = NAT_GATEWAY
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=3, retry_delete=10)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.since("2018-11-01")

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check the addresses: Standard ones that nothing else has."""
        del existing
        sku = resource.body.get("sku") or {}
        resource.body["sku"] = {"name": sku.get("name", "Standard"), "tier": sku.get("tier", "Regional")}
        idle = given.setdefault("idleTimeoutInMinutes", 4)
        if idle not in _IDLE_MINUTES:
            raise network_error(
                400,
                "NatGatewayIdleTimeoutIsOutOfRange",
                f"Idle timeout of {idle} minutes for NAT gateway {resource.id} is out of range 4-120.",
            )
        for name, kind in _REFERENCES.items():
            if name in given:
                given[name] = [
                    {"id": require(cloud, resource, target, path=f"properties.{name}", kind=kind)}
                    for target in given[name]
                ]
        for address in given.get("publicIpAddresses", ()):
            _check_address(cloud, resource, address["id"])
        return {key: value for key, value in given.items() if value != []}

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the subnets whose machines leave through the gateway."""
        subnets = subnets_naming(cloud, resource.id, "natGateway")
        return {"subnets": [{"id": subnet} for subnet in subnets]} if subnets else {}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a subnet has the gateway."""
        if subnets := subnets_naming(cloud, resource.id, "natGateway"):
            raise network_error(
                400,
                "CannotDeleteNatGatewayAssociatedToSubnet",
                f"NAT Gateway {resource.id} is still configured on {len(subnets)} subnets. Remove NAT Gateway from all "
                "referenced subnets and then delete NAT Gateway.",
            )


def _check_address(cloud: Cloud, gateway: Resource, address_id: str) -> None:
    check_free(cloud, address_id, str(gateway.id))
    address = cloud.store.find(address_id)
    if address and address.body["sku"]["name"] == "Basic":
        raise network_error(
            400,
            "NatGatewayCannotReferenceBasicSkuPublicIPAddress",
            f"NAT gateway {gateway.id} cannot reference Basic sku publicIP {address_id}.",
        )
