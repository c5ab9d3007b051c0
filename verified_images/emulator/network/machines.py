"""The machine behind an IP configuration, and whether a connection gets to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.rules import Connection, admits

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration


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
    """Tell whether the security groups of an IP configuration's subnet and interface admit a connection.

    ``standard`` is whether it comes by way of a Standard address or load balancer: without any group those are
    closed, the Basic ones open. Source: Azure, "Public IP addresses", SKU.
    """
    subnet = id_of(configuration.properties.get("subnet"))
    groups = [rules for group in _groups(cloud, configuration, subnet) if (rules := _rules(cloud, group)) is not None]
    if not groups:
        return not standard
    address = str(configuration.properties.get("privateIPAddress"))
    own = frozenset(id_of(group).lower() for group in configuration.properties.get("applicationSecurityGroups") or ())
    connection = Connection(source, address, port, inside=_address_space(cloud, subnet), destination_groups=own)
    return admits(groups, connection)


def _groups(cloud: Cloud, configuration: IpConfiguration, subnet: str) -> list[str]:
    found = find_part(cloud, subnet)
    of_subnet = id_of((found or {}).get("properties", {}).get("networkSecurityGroup"))
    of_interface = id_of(configuration.interface.properties.get("networkSecurityGroup"))
    return [group for group in (of_subnet, of_interface) if group]


def _rules(cloud: Cloud, group: str) -> list[dict[str, Any]] | None:
    found = cloud.store.find(group)
    if found is None:
        return None
    return [*found.properties["securityRules"], *found.properties["defaultSecurityRules"]]


def _address_space(cloud: Cloud, subnet: str) -> tuple[str, ...]:
    network = ResourceId.parse(subnet).parent
    found = cloud.store.find(network) if network else None
    return tuple(found.properties["addressSpace"]["addressPrefixes"]) if found else ()
