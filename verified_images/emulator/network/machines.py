"""The machine behind an IP configuration, and whether a connection gets to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.rules import Connection, admits
from verified_images.emulator.network.virtual_network_peerings import peered_networks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration
    from verified_images.emulator.network.rules import Direction
    from verified_images.emulator.store import Resource


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP port of a guest, by the hypervisor's name for it; ``configuration`` is the id of where it is reached."""

    guest: str
    port: int
    configuration: str


def find_endpoint(cloud: Cloud, configuration: IpConfiguration, port: int) -> Endpoint | None:
    """Give the port of the machine that has an IP configuration, or None when no machine runs there."""
    machine = cloud.store.find(id_of(configuration.interface.properties.get("virtualMachine")))
    guest = str(machine.hidden.get("guest", "")) if machine else ""
    if not guest or not cloud.hypervisor.is_running(guest):
        return None
    return Endpoint(guest, port, configuration.id)


def lets_in(cloud: Cloud, configuration: IpConfiguration, *, source: str, port: int, standard: bool) -> bool:
    """Tell whether the security groups of an IP configuration's subnet and interface admit a TCP connection.

    ``standard`` is whether it comes by way of a Standard address or load balancer: without any group those are
    closed, the Basic ones open. Source: Azure, "Public IP addresses", SKU.
    """
    connection = Connection(
        source,
        str(configuration.properties.get("privateIPAddress")),
        port,
        inside=address_space(reachable_networks(cloud, configuration)),
        destination_groups=application_groups(configuration),
    )
    return is_admitted(cloud, configuration, connection, otherwise=not standard)


def is_admitted(
    cloud: Cloud,
    configuration: IpConfiguration,
    connection: Connection,
    direction: Direction = "Inbound",
    *,
    otherwise: bool = True,
) -> bool:
    """Tell whether the security groups of an IP configuration let a connection pass; without any, ``otherwise``."""
    found = [_rules(cloud, group) for group in _groups(cloud, configuration)]
    groups = [rules for rules in found if rules is not None]
    return admits(groups, connection, direction) if groups else otherwise


def application_groups(configuration: IpConfiguration) -> frozenset[str]:
    """Give the ids, in lower case, of the application security groups that an IP configuration is in."""
    return frozenset(id_of(group).lower() for group in configuration.properties.get("applicationSecurityGroups") or ())


def reachable_networks(cloud: Cloud, configuration: IpConfiguration) -> list[Resource]:
    """Give the virtual network of an IP configuration, and those that it is peered with."""
    subnet = id_of(configuration.properties.get("subnet"))
    identifier = ResourceId.parse(subnet).parent if subnet else None
    network = cloud.store.find(identifier) if identifier else None
    return [network, *peered_networks(cloud, network)] if network else []


def address_space(networks: Iterable[Resource]) -> tuple[str, ...]:
    """Give the ranges of some virtual networks."""
    return tuple(prefix for network in networks for prefix in network.properties["addressSpace"]["addressPrefixes"])


def _groups(cloud: Cloud, configuration: IpConfiguration) -> list[str]:
    found = find_part(cloud, id_of(configuration.properties.get("subnet")))
    of_subnet = id_of((found or {}).get("properties", {}).get("networkSecurityGroup"))
    of_interface = id_of(configuration.interface.properties.get("networkSecurityGroup"))
    return [group for group in (of_subnet, of_interface) if group]


def _rules(cloud: Cloud, group: str) -> list[dict[str, Any]] | None:
    found = cloud.store.find(group)
    if found is None:
        return None
    return [*found.properties["securityRules"], *found.properties["defaultSecurityRules"]]
