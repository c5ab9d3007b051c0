"""The network of a build: who may come in, and on which addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.cloud.operations import Arm, Body, Operation
    from verified_images.cloud.place import Place

ADDRESS_SPACE = "10.0.0.0/16"
SUBNET_PREFIX = "10.0.0.0/24"
SSH_PORT = 22
SSH_FRONTEND_PORTS = (50000, 50119)
"""The load balancer's ports that lead to the instances' SSH servers, one each: Azure allows 120 at most here."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A TCP port that a security group opens to the ``sources``: CIDR ranges or one of Azure's service tags."""

    name: str
    port: int
    sources: tuple[str, ...]


def begin_security_group(arm: Arm, place: Place, name: str, openings: Sequence[Opening]) -> Operation[object]:
    """Begin to make a network security group that admits nothing from outside but the openings."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {"securityRules": [_rule(opening, 100 + 10 * index) for index, opening in enumerate(openings)]},
    }
    groups = arm.connection.network.network_security_groups
    return arm.begin(
        "create network security group",
        name,
        lambda: groups.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("network security group", name, lambda: groups.get(place.group, name)),
    )


def begin_virtual_network(arm: Arm, place: Place, name: str, subnet: str) -> Operation[object]:
    """Begin to make a virtual network with one subnet."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {
            "addressSpace": {"addressPrefixes": [ADDRESS_SPACE]},
            "subnets": [{"name": subnet, "properties": {"addressPrefix": SUBNET_PREFIX}}],
        },
    }
    networks = arm.connection.network.virtual_networks
    return arm.begin(
        "create virtual network",
        name,
        lambda: networks.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("virtual network", name, lambda: networks.get(place.group, name)),
    )


def begin_public_address(arm: Arm, place: Place, name: str, *, sku: str = "Standard") -> Operation[object]:
    """Begin to make a static public IP address of the SKU, Basic or Standard."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "sku": {"name": sku},
        "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
    }
    addresses = arm.connection.network.public_ip_addresses
    return arm.begin(
        "create public IP address",
        name,
        lambda: addresses.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("public IP address", name, lambda: addresses.get(place.group, name)),
    )


def list_virtual_networks(arm: Arm, group: str | None = None) -> list[Mapping[str, Any]]:
    """Return the virtual networks of a resource group, or of the whole subscription, in wire shape."""
    networks = arm.connection.network.virtual_networks
    return arm.call(
        "list virtual networks in",
        group or "the subscription",
        lambda: list(networks.list(group) if group else networks.list_all()),
    )


def read_public_address(arm: Arm, place: Place, name: str) -> str:
    """Return the address that Azure gave to a public IP address."""
    addresses = arm.connection.network.public_ip_addresses
    answer = arm.call("get public IP address", name, lambda: addresses.get(place.group, name))
    return str(answer["properties"]["ipAddress"])


def create_interface(  # noqa: PLR0913 - the parts that an interface joins
    arm: Arm,
    place: Place,
    name: str,
    *,
    subnet_id: str,
    security_group_id: str,
    public_address_id: str | None,
    accelerated: bool | None = None,
) -> str:
    """Make a network interface with a security group of its own and return its private address."""
    address: Body = {
        "name": "primary",
        "properties": {
            "primary": True,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet_id},
        },
    }
    if public_address_id:
        address["properties"]["publicIPAddress"] = {"id": public_address_id}
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {"ipConfigurations": [address], "networkSecurityGroup": {"id": security_group_id}},
    }
    if accelerated is not None:
        body["properties"]["enableAcceleratedNetworking"] = accelerated
    interfaces = arm.connection.network.network_interfaces
    answer = arm.run(
        "create network interface",
        name,
        lambda: interfaces.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("network interface", name, lambda: interfaces.get(place.group, name)),
    )
    return str(answer["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])


def _rule(opening: Opening, priority: int) -> Body:
    rule: Body = {
        "name": opening.name,
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": str(opening.port),
            "destinationAddressPrefix": "*",
        },
    }
    # ARM takes a service tag only in the field for one source.
    if len(opening.sources) == 1:
        rule["properties"]["sourceAddressPrefix"] = opening.sources[0]
    else:
        rule["properties"]["sourceAddressPrefixes"] = list(opening.sources)
    return rule
