"""Who is in a backend address pool: interfaces that name it, and those that have an address it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId, same_id
from verified_images.emulator.network.addresses import address_holder
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.references import configurations_naming, interfaces_naming, ip_configurations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration

MEMBERSHIP = "loadBalancerBackendAddressPools"


def pool_members(cloud: Cloud, pool_id: str) -> list[IpConfiguration]:
    """Give the IP configurations that a pool leads to, oldest first."""
    members = list(configurations_naming(cloud, pool_id, MEMBERSHIP))
    pool = find_part(cloud, pool_id)
    for entry in listed_addresses(pool) if pool else ():
        members.extend(_by_address(cloud, entry))
    return members


def listed_addresses(pool: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the entries of a pool that name addresses rather than interfaces."""
    entries: list[dict[str, Any]] = pool["properties"].get("loadBalancerBackendAddresses") or []
    listed = [entry for entry in entries if (entry.get("properties") or {}).get("ipAddress")]
    return [{**entry, "properties": _said(entry["properties"])} for entry in listed]


def _said(properties: dict[str, Any]) -> dict[str, Any]:
    """Leave out a state that says nothing."""
    return {key: value for key, value in properties.items() if (key, value) != ("adminState", "None")}


def _by_address(cloud: Cloud, entry: dict[str, Any]) -> Iterator[IpConfiguration]:
    properties = entry["properties"]
    network = cloud.store.find(id_of(properties.get("virtualNetwork")))
    of_network = [subnet["id"] for subnet in network.properties["subnets"]] if network else []
    subnets = of_network or [id_of(properties.get("subnet"))]
    for subnet in subnets:
        holder = address_holder(cloud, subnet, properties["ipAddress"])
        interface = cloud.store.find(parent) if holder and (parent := ResourceId.parse(holder).parent) else None
        for configuration in ip_configurations(interface) if interface else ():
            if configuration.id == holder:
                yield configuration


def forget_in_interfaces(cloud: Cloud, target: str) -> None:
    """Take a pool or an inbound NAT rule that goes away out of the interfaces that name it."""
    with cloud.store.lock:
        for interface in interfaces_naming(cloud, target):
            for configuration in ip_configurations(interface):
                for name in (MEMBERSHIP, "loadBalancerInboundNatRules"):
                    _forget(configuration.properties, name, target)
            cloud.store.put(interface)


def _forget(properties: dict[str, Any], name: str, target: str) -> None:
    if name not in properties:
        return
    left = [reference for reference in properties[name] if not same_id(id_of(reference), target)]
    if left:
        properties[name] = left
    else:
        del properties[name]
