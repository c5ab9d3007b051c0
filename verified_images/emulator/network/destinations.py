"""Where a connection from outside to a public address ends: at a machine's port, or nowhere."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from verified_images.emulator.ids import same_id
from verified_images.emulator.network.addresses import PUBLIC_RANGES, public_address, public_addresses
from verified_images.emulator.network.machines import Endpoint, find_endpoint, lets_in
from verified_images.emulator.network.public_ip_addresses import current_address
from verified_images.emulator.network.references import configurations_naming, ip_configurations

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.balancing import Balancing
    from verified_images.emulator.network.proxy_request import Target
    from verified_images.emulator.network.references import IpConfiguration
    from verified_images.emulator.store import Resource


class Nowhere(Enum):
    """Why a connection does not end at a machine."""

    DROPPED = "a rule denies it, or nothing answers: the packets are lost"
    UNKNOWN = "nobody has the address"
    PRIVATE = "the address is reachable from inside alone"


def find_destination(cloud: Cloud, balancing: Balancing, target: Target, client: str) -> Endpoint | Nowhere:
    """Follow a connection of ``client`` (an IP address) to where it ends."""
    address = _find_public(cloud, target.host.lower().rstrip("."))
    if address is None:
        return Nowhere.PRIVATE if _is_private(target.host) else Nowhere.UNKNOWN
    standard = (address.body.get("sku") or {}).get("name") == "Standard"
    for configuration in _holders(cloud, address):
        if not lets_in(cloud, configuration, source=client, port=target.port, standard=standard):
            return Nowhere.DROPPED
        return find_endpoint(cloud, configuration, target.port) or Nowhere.DROPPED
    return balancing.find_endpoint(str(address.id), target.port, client) or Nowhere.DROPPED


def _is_private(host: str) -> bool:
    try:
        address = IPv4Address(host)
    except ValueError:
        return False
    return address.is_private and not any(address in network for network in PUBLIC_RANGES)


def _find_public(cloud: Cloud, host: str) -> Resource | None:
    for address in public_addresses(cloud):
        name = (address.properties.get("dnsSettings") or {}).get("fqdn")
        if host in {public_address(address), name} and current_address(cloud, address):
            return address
    return None


def _holders(cloud: Cloud, address: Resource) -> list[IpConfiguration]:
    holders = list(configurations_naming(cloud, address.id, "publicIPAddress"))
    configuration = address.id.parent
    if not holders and configuration and configuration.parent:
        interface = cloud.store.find(configuration.parent)
        candidates = ip_configurations(interface) if interface else ()
        holders = [found for found in candidates if same_id(found.id, str(configuration))]
    return holders
