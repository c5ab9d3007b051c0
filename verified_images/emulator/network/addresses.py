"""Private addresses from subnets, public ones from ranges that lead nowhere, and the guests' network cards."""

from __future__ import annotations

import ipaddress
import secrets
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, network_error
from verified_images.emulator.hypervisor import GuestNetwork
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.references import (
    INSTANCE_PUBLIC_ADDRESS,
    PUBLIC_ADDRESS,
    PUBLIC_PREFIX,
    ip_configurations,
    refers_to,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

PUBLIC_RANGES = (IPv4Network("198.51.100.0/24"), IPv4Network("198.18.0.0/15"))
"""Where public addresses come from: documentation and benchmark ranges, which no network routes. Source: RFC 5737
and RFC 2544; 203.0.113.0/24 is left out since some machines' resolvers answer with addresses of it."""

_ADDRESSES_6 = IPv6Network("2001:db8:0:1::/64")
_PREFIXES_6 = IPv6Network("2001:db8:0:2::/64")
"""Where public addresses and prefixes of IPv6 come from, which no network routes. Source: RFC 3849."""

_RESERVED_AT_START = 4
RESERVED = _RESERVED_AT_START + 1
"""How many addresses of a subnet Azure keeps to itself: the first four and the last."""

_VENDOR = "00-0D-3A"


def allocate_address(
    cloud: Cloud, subnet_id: str, wanted: str | None = None, *, owner: str = "", besides: Collection[str] = ()
) -> str:
    """Give ``wanted``, or the lowest free address of a subnet; the first is the fifth of its range, as on Azure.

    Hold ``cloud.store.lock`` until the address stands in a stored resource. ``owner`` is the id of the IP
    configuration that asks; what it has already counts as free. ``besides`` are addresses that are promised but
    not stored yet.

    Raises:
        ArmError: 400: no such subnet; the address is taken, reserved or not of the subnet; the subnet is full.
    """
    subnet = find_part(cloud, subnet_id)
    if subnet is None:
        raise network_error(400, "InvalidResourceReference", missing_reference(subnet_id, owner))
    network = subnet_networks(subnet)[0]
    taken = {address: holder for address, holder in _taken(cloud, subnet_id) if not _is_same(holder, owner)}
    if wanted is not None:
        return _check_wanted(network, wanted, taken | dict.fromkeys(besides, owner), owner)
    # Skipping rather than listing what is reserved: a /8 has sixteen million addresses.
    for number in range(int(network.network_address) + _RESERVED_AT_START, int(network.broadcast_address)):
        address = str(IPv4Address(number))
        if address not in taken and address not in besides:
            return address
    raise network_error(
        400,
        "SubnetIsFull",
        f"Subnet {ResourceId.parse(subnet_id).name} with address prefix {network} does not have enough capacity for "
        "1 IP addresses.",
    )


def missing_reference(target: str, referrer: str) -> str:
    """Give Azure's sentence for a referenced resource that does not exist."""
    return (
        f"Resource {target} referenced by resource {referrer} was not found. Please make sure that the referenced "
        "resource exists, and that both resources are in the same region."
    )


def subnet_networks(subnet: dict[str, Any]) -> list[IPv4Network]:
    """Give the IPv4 ranges of a subnet as its parent keeps it."""
    properties = subnet["properties"]
    prefixes = [properties["addressPrefix"]] if properties.get("addressPrefix") else properties["addressPrefixes"]
    return [IPv4Network(prefix) for prefix in prefixes if ":" not in prefix]


def address_holder(cloud: Cloud, subnet_id: str, address: str) -> str | None:
    """Give the id of the IP configuration that has a private address in a subnet, or None."""
    return dict(_taken(cloud, subnet_id)).get(address)


def is_reserved(network: IPv4Network, address: IPv4Address) -> bool:
    """Tell whether Azure keeps an address of a subnet to itself: the first four and the last."""
    offset = int(address) - int(network.network_address)
    return offset < _RESERVED_AT_START or address == network.broadcast_address


def _check_wanted(network: IPv4Network, wanted: str, taken: dict[str, str], owner: str) -> str:
    try:
        address = IPv4Address(wanted)
    except ValueError as error:
        raise network_error(400, "InvalidIPAddressFormat", f"The IP address '{wanted}' is not valid.") from error
    if address not in network:
        raise network_error(
            400,
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {wanted} does not belong to the range of subnet prefix {network}.",
        )
    if is_reserved(network, address):
        raise network_error(
            400,
            "PrivateIPAddressInReservedRange",
            f"Private static IP address {wanted} falls within reserved IP range of subnet prefix {network}.",
        )
    if holder := taken.get(str(address)):
        raise network_error(
            400,
            "PrivateIPAddressIsAllocated",
            f"IP configuration {owner} is using the private IP address {wanted} which is already allocated to resource "
            f"{ResourceId.parse(holder).parent}.",
        )
    return str(address)


def _taken(cloud: Cloud, subnet_id: str) -> Iterator[tuple[str, str]]:
    for referrer in cloud.store.referrers(subnet_id):
        for configuration in ip_configurations(referrer):
            if refers_to(configuration.properties.get("subnet"), subnet_id):
                yield str(configuration.properties.get("privateIPAddress")), configuration.id
        for frontend in referrer.properties.get("frontendIPConfigurations") or ():
            properties = frontend.get("properties") or {}
            if properties.get("privateIPAddress") and refers_to(properties.get("subnet"), subnet_id):
                yield properties["privateIPAddress"], frontend["id"]


def _is_same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def allocate_public_address(cloud: Cloud, prefix: Resource | None = None, *, version: str = "IPv4") -> str:
    """Give a public address that nobody has, of a public IP prefix where one is given.

    Hold ``cloud.store.lock`` until it is stored with its resource.

    A resource has its address in ``properties.ipAddress`` or, while that is not shown, in ``hidden["address"]``.
    """
    taken = {public_address(resource) for resource in public_addresses(cloud)}
    if prefix:
        free = (str(address) for address in ip_network(prefix.hidden["prefix"]) if str(address) not in taken)
        if address := next(free, None):
            return address
        raise network_error(
            400, "PublicIpPrefixOutOfIpAddresses", f"Public IP prefix {prefix.id} has no free IP address left."
        )
    if version == "IPv6":
        return next(str(address) for address in _ADDRESSES_6.hosts() if str(address) not in taken)
    prefixes = _public_prefixes(cloud)
    for network in PUBLIC_RANGES:
        for number in range(int(network.network_address) + 1, int(network.broadcast_address)):
            address = str(IPv4Address(number))
            if address not in taken and not any(IPv4Address(number) in reserved for reserved in prefixes):
                return address
    raise ArmError(400, "PublicIPAddressPoolExhausted", "No public IP address is left in this location.", details=[])


def allocate_public_prefix(cloud: Cloud, length: int) -> IPv4Network:
    """Give a range of public addresses of which nobody has one; the last are given first. Hold the store's lock."""
    addresses = [public_address(found) for found in public_addresses(cloud)]
    taken = [IPv4Address(address) for address in addresses if address and ":" not in address]
    prefixes = _public_prefixes(cloud)
    *_, widest = PUBLIC_RANGES
    for number in reversed(range(1 << (length - widest.prefixlen))):
        first = int(widest.network_address) + (number << (32 - length))
        found = IPv4Network((first, length))
        if not any(found.overlaps(prefix) for prefix in prefixes) and not any(address in found for address in taken):
            return found
    raise ArmError(400, "PublicIPAddressPoolExhausted", "No public IP prefix is left in this location.", details=[])


def allocate_public_prefix_6(cloud: Cloud, length: int) -> IPv6Network:
    """Give a range of public IPv6 addresses that is not given yet. Hold the store's lock."""
    given = [found.hidden["prefix"] for found in cloud.store.select(PUBLIC_PREFIX)]
    taken = [IPv6Network(prefix) for prefix in given if ":" in prefix]
    return next(found for found in _PREFIXES_6.subnets(new_prefix=length) if not any(map(found.overlaps, taken)))


def _public_prefixes(cloud: Cloud) -> list[IPv4Network]:
    given = [found.hidden["prefix"] for found in cloud.store.select(PUBLIC_PREFIX)]
    return [IPv4Network(prefix) for prefix in given if ":" not in prefix]


def public_addresses(cloud: Cloud) -> list[Resource]:
    """Give all public IP addresses, those of scale set instances too."""
    return [*cloud.store.select(PUBLIC_ADDRESS), *cloud.store.select(INSTANCE_PUBLIC_ADDRESS)]


def public_address(resource: Resource) -> str:
    """Give the address that a public IP address has or will show; an empty string when it has none."""
    return str(resource.hidden.get("address") or resource.properties.get("ipAddress") or "")


def new_mac() -> str:
    """Give a new hardware address as Azure writes it, ``00-0D-3A-1B-2C-3D``."""
    return "-".join([_VENDOR, *(f"{octet:02X}" for octet in secrets.token_bytes(3))])


def guest_network(cloud: Cloud, nic: Resource) -> GuestNetwork:
    """Give the network card that a guest gets for an interface: its primary IPv4 configuration.

    The interface must have been attached, which is what gives it a hardware address.

    Raises:
        ArmError: 400: its subnet does not exist any more.
    """
    configurations = list(ip_configurations(nic))
    primary = next((found for found in configurations if found.properties.get("primary")), configurations[0])
    subnet_id = id_of(primary.properties.get("subnet"))
    subnet = find_part(cloud, subnet_id)
    if subnet is None:
        raise network_error(400, "InvalidResourceReference", missing_reference(subnet_id, str(nic.id)))
    address = ipaddress.IPv4Address(primary.properties["privateIPAddress"])
    network = next(range_ for range_ in subnet_networks(subnet) if address in range_)
    mac = str(nic.properties["macAddress"]).replace("-", ":").lower()
    return GuestNetwork(mac, str(address), str(network), str(nic.id))
