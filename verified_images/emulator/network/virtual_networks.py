"""Virtual networks."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network.addresses import RESERVED, address_holder, is_reserved, subnet_networks
from verified_images.emulator.network.kind import NetworkKind
from verified_images.emulator.network.lookup import find_part
from verified_images.emulator.network.part import as_object
from verified_images.emulator.network.references import VIRTUAL_NETWORK, configurations_naming
from verified_images.emulator.network.subnets import Subnets, check_overlaps, parse_prefix
from verified_images.emulator.network.virtual_network_peerings import VirtualNetworkPeerings
from verified_images.emulator.operations import NETWORK
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Network

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.part import Part
    from verified_images.emulator.store import Resource

_SUGGESTIONS = 5
_REGIONAL_COMMUNITY = "12076:50006"
"""What a region's routes are marked with; one value stands for all regions."""


class VirtualNetworks(NetworkKind):
    """Microsoft.Network/virtualNetworks."""

    type: ClassVar[str] = VIRTUAL_NETWORK
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=3, retry_delete=10)
    parts: ClassVar[tuple[Part, ...]] = (Subnets(), VirtualNetworkPeerings())

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check the address space."""
        del cloud, existing
        space = dict(as_object(given.get("addressSpace"), "properties.addressSpace"))
        if not space.get("addressPrefixes"):
            raise network_error(
                400,
                "VnetAddressSpaceNotSpecified",
                f"Address space for virtual network {resource.id} was not specified.",
            )
        for prefix in space["addressPrefixes"]:
            parse_prefix(prefix, str(resource.id))
        space.setdefault("ipamPoolPrefixAllocations", [])
        if "dhcpOptions" in given:
            given["dhcpOptions"] = {"dnsServers": [], **as_object(given["dhcpOptions"], "properties.dhcpOptions")}
        if "bgpCommunities" in given:
            communities = as_object(given["bgpCommunities"], "properties.bgpCommunities")
            given["bgpCommunities"] = {"regionalCommunity": _REGIONAL_COMMUNITY, **communities}
        _check_encryption(resource, as_object(given.get("encryption"), "properties.encryption"))
        return {
            "privateEndpointVNetPolicies": "Disabled",
            "enableDdosProtection": False,
            "enableVmProtection": False,
            **given,
            "addressSpace": space,
        }

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse subnets that overlap."""
        del cloud
        check_overlaps(resource)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a subnet is in use."""
        for part in self.parts:
            for item in part.items(resource):
                part.check_delete(cloud, resource, item)

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of subnets, and the question whether an address is free."""
        yield from super().more_routes()
        item = f"{self.collection_pattern()}/{{name}}"
        yield Route("GET", f"{item}/CheckIPAddressAvailability", self._check_address)
        yield Route("GET", f"{item}/usages", self._list_usages)
        for links in ("ResourceNavigationLinks", "ServiceAssociationLinks"):
            yield Route("GET", f"{self.collection_pattern()}/{{parent1}}/subnets/{{name}}/{links}", self._list_links)

    def _list_usages(self, cloud: Cloud, request: Request) -> Answer:
        network = self.find(cloud, request.id)
        return page(cloud, request, [_usage(cloud, subnet) for subnet in network.properties["subnets"]])

    def _list_links(self, cloud: Cloud, request: Request) -> Answer:
        if find_part(cloud, request.id) is None:
            raise network_error(404, "NotFound", f"Resource {request.id} not found.")
        # Other providers' services, none of which is here, leave links in a subnet.
        return Answer(200, {"value": []})

    def _check_address(self, cloud: Cloud, request: Request) -> Answer:
        network = self.find(cloud, request.id)
        wanted = request.query.get("ipaddress", "")
        try:
            address = IPv4Address(wanted)
        except ValueError as error:
            raise network_error(400, "InvalidIPAddressFormat", f"The IP address '{wanted}' is not valid.") from error
        for subnet in network.properties["subnets"]:
            for own in subnet_networks(subnet):
                if address in own:
                    return Answer(200, _availability(cloud, subnet["id"], own, address))
        raise network_error(
            400,
            "PrivateIPAddressNotInAnySubnet",
            f"Private static IP address {wanted} does not belong to the range of any subnet in the virtual network "
            f"{network.id}.",
        )


def _check_encryption(network: Resource, given: dict[str, Any]) -> None:
    if given and not {"enabled", "enforcement"} <= given.keys():
        raise network_error(
            400,
            "MustSpecifyBothEncryptionIntentAndEnforcementPolicy",
            f"Cannot encrypt VirtualNetwork {network.id} unless both encryption intent (Enabled true or false) and "
            "enforcement policy (AllowUnencrypted or DropUnencrypted) are specified.",
        )


def _usage(cloud: Cloud, subnet: dict[str, Any]) -> dict[str, Any]:
    networks = subnet_networks(subnet)
    users = sum(1 for _ in configurations_naming(cloud, subnet["id"], "subnet"))
    return {
        "currentValue": float(users),
        "id": subnet["id"],
        "limit": float(sum(network.num_addresses - RESERVED for network in networks)),
        "name": {"localizedValue": "Subnet size and usage", "value": "SubnetSpace"},
        "unit": "Count",
    }


def _availability(cloud: Cloud, subnet_id: str, network: IPv4Network, address: IPv4Address) -> dict[str, Any]:
    reserved = is_reserved(network, address)
    free = not reserved and address_holder(cloud, subnet_id, str(address)) is None
    body: dict[str, Any] = {"available": free}
    if not free:
        body["availableIPAddresses"] = list(islice(_free(cloud, subnet_id, network), _SUGGESTIONS))
    return {**body, "isPlatformReserved": reserved}


def _free(cloud: Cloud, subnet_id: str, network: IPv4Network) -> Iterator[str]:
    for address in network:
        if not is_reserved(network, address) and address_holder(cloud, subnet_id, str(address)) is None:
            yield str(address)
