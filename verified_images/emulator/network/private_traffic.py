"""Where what a guest sends goes: to another machine of its virtual network or a peered one, outside, or nowhere.

Source: Azure, "Virtual network traffic routing" (system routes) and "Network security groups": what leaves a machine
passes the groups of its interface and subnet outbound, what comes to one those of its subnet and interface inbound.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import Delivery, Way
from verified_images.emulator.ids import ResourceId, same_id
from verified_images.emulator.network.addresses import address_holder, subnet_networks
from verified_images.emulator.network.machines import (
    address_space,
    application_groups,
    find_endpoint,
    is_admitted,
    reachable_networks,
)
from verified_images.emulator.network.references import LOAD_BALANCER, IpConfiguration, ip_configurations
from verified_images.emulator.network.rules import LOAD_BALANCER_PROBE, Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.hypervisor import Flow, Route
    from verified_images.emulator.network.balancing import Balancing
    from verified_images.emulator.store import Resource

_PLATFORM = {LOAD_BALANCER_PROBE, "169.254.169.254"}
"""What every machine may speak to, whatever its rules. Source: Azure, "What is IP address 168.63.129.16?" and
"Azure Instance Metadata Service"."""


def route(cloud: Cloud, balancing: Balancing, flow: Flow) -> Route:
    """Tell where a flow goes that a guest begins."""
    sender = _sender(cloud, flow)
    if sender is None:
        return Way.NOWHERE
    if flow.destination in _PLATFORM:
        return Way.OUTSIDE
    networks = reachable_networks(cloud, sender)
    inside = address_space(networks)
    is_inside = any(IPv4Address(flow.destination) in ip_network(prefix) for prefix in inside)
    target = _target(cloud, balancing, networks, flow) if is_inside else None
    leaving = Connection(
        flow.source,
        flow.destination,
        flow.port,
        inside,
        flow.protocol,
        flow.source_port,
        source_groups=application_groups(sender),
        destination_groups=application_groups(target[0]) if target else frozenset(),
    )
    if not is_admitted(cloud, sender, leaving, "Outbound"):
        return Way.NOWHERE
    if not is_inside:
        return Way.OUTSIDE
    return _deliver(cloud, leaving, *target) if target else Way.NOWHERE


def _sender(cloud: Cloud, flow: Flow) -> IpConfiguration | None:
    """Give the IP configuration that a flow comes from; None for a source that is not the interface's own."""
    interface = cloud.store.find(flow.interface) if flow.interface else None
    found = list(ip_configurations(interface)) if interface else []
    own = [configuration for configuration in found if configuration.properties.get("privateIPAddress") == flow.source]
    if interface and interface.properties.get("enableIPForwarding"):
        own += found
    return own[0] if own else None


def _target(
    cloud: Cloud, balancing: Balancing, networks: Iterable[Resource], flow: Flow
) -> tuple[IpConfiguration, int] | None:
    """Give the IP configuration that has a private address, or is behind it, and the port there."""
    holder = _holder(cloud, networks, flow.destination)
    if holder is None or holder.parent is None:
        return None
    parent = cloud.store.find(holder.parent)
    if parent and parent.id.type.lower() == LOAD_BALANCER.lower():
        return balancing.find_member(parent, str(holder), flow.port, flow.source) if flow.protocol == "Tcp" else None
    candidates = ip_configurations(parent) if parent else ()
    return next(((found, flow.port) for found in candidates if same_id(found.id, str(holder))), None)


def _holder(cloud: Cloud, networks: Iterable[Resource], address: str) -> ResourceId | None:
    for network in networks:
        for subnet in network.properties["subnets"]:
            if any(IPv4Address(address) in prefix for prefix in subnet_networks(subnet)):
                holder = address_holder(cloud, subnet["id"], address)
                return ResourceId.parse(holder) if holder else None
    return None


def _deliver(cloud: Cloud, leaving: Connection, receiver: IpConfiguration, port: int) -> Route:
    coming = replace(
        leaving,
        destination=str(receiver.properties.get("privateIPAddress")),
        port=port,
        inside=address_space(reachable_networks(cloud, receiver)),
    )
    endpoint = find_endpoint(cloud, receiver, port)
    if endpoint is None or not is_admitted(cloud, receiver, coming):
        return Way.NOWHERE
    return Delivery(endpoint.guest, coming.destination, port)
