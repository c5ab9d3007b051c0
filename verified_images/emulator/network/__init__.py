"""Microsoft.Network: what machines are connected by, and the gateway that leads connections to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.network.application_security_groups import ApplicationSecurityGroups
from verified_images.emulator.network.interfaces import NetworkInterfaces
from verified_images.emulator.network.load_balancers import LoadBalancers
from verified_images.emulator.network.nat_gateways import NatGateways
from verified_images.emulator.network.network_security_groups import NetworkSecurityGroups
from verified_images.emulator.network.public_ip_addresses import PublicIPAddresses, check_label
from verified_images.emulator.network.public_ip_prefixes import PublicIPPrefixes
from verified_images.emulator.network.route_tables import RouteTables
from verified_images.emulator.network.subnet_services import routes as subnet_services
from verified_images.emulator.network.usages import list_usages
from verified_images.emulator.network.virtual_networks import VirtualNetworks
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.lifecycle import Kind


def kinds() -> Iterator[Kind]:
    """Give the resource types of the namespace."""
    yield VirtualNetworks()
    yield NetworkSecurityGroups()
    yield PublicIPAddresses()
    yield NetworkInterfaces()
    yield LoadBalancers()
    yield ApplicationSecurityGroups()
    yield RouteTables()
    yield NatGateways()
    yield PublicIPPrefixes()


def routes() -> Iterator[Route]:
    """Give the URL table beyond that of the resource types."""
    place = "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}"
    yield from subnet_services()
    yield Route("GET", f"{place}/usages", list_usages)
    yield Route("GET", f"{place}/CheckDnsNameAvailability", check_label)
