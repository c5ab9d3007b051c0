"""Evaluation of network security rules: whether a connection is let in, or out.

Source: Azure, "Network security groups": rules are tried in order of priority, the first that matches decides;
inbound traffic passes the subnet's group first and then the interface's, outbound the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Direction = Literal["Inbound", "Outbound"]

LOAD_BALANCER_PROBE = "168.63.129.16"
"""The address that health probes come from. Source: Azure, "What is IP address 168.63.129.16?"."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection on its way: from where, to which address and port.

    ``inside`` are the ranges of the virtual network whose rules are asked and of those peered with it, the groups the
    ids (in lower case) of the application security groups of both ends.
    """

    source: str
    destination: str
    port: int
    inside: tuple[str, ...] = ()
    protocol: str = "Tcp"
    source_port: int | None = None
    source_groups: frozenset[str] = frozenset()
    destination_groups: frozenset[str] = frozenset()


def admits(
    groups: Iterable[Sequence[dict[str, Any]]], connection: Connection, direction: Direction = "Inbound"
) -> bool:
    """Tell whether each group (its rules as ARM shows them, default rules included) lets a connection in, or out."""
    return all(_decide(rules, connection, direction) for rules in groups)


def _decide(rules: Sequence[dict[str, Any]], connection: Connection, direction: Direction) -> bool:
    spoken = [rule["properties"] for rule in rules if rule["properties"]["direction"] == direction]
    for rule in sorted(spoken, key=lambda rule: int(rule["priority"])):
        if matches(rule, connection):
            return bool(rule["access"] == "Allow")
    return False


def matches(rule: dict[str, Any], connection: Connection) -> bool:
    """Tell whether a rule's properties speak of a connection."""
    return (
        str(rule["protocol"]).lower() in {"*", connection.protocol.lower()}
        and _in_ports(_both(rule, "destinationPortRange"), connection.port)
        and (connection.source_port is None or _in_ports(_both(rule, "sourcePortRange"), connection.source_port))
        and _is_at(rule, "source", connection.source, connection)
        and _is_at(rule, "destination", connection.destination, connection)
    )


def _is_at(rule: dict[str, Any], side: str, address: str, connection: Connection) -> bool:
    """Tell whether an end of a connection is where a rule says."""
    if groups := rule.get(f"{side}ApplicationSecurityGroups"):
        own = connection.source_groups if side == "source" else connection.destination_groups
        return any(str(group["id"]).lower() in own for group in groups)
    return _in_prefixes(_both(rule, f"{side}AddressPrefix"), address, connection)


def _both(rule: dict[str, Any], singular: str) -> list[str]:
    plural = singular + ("es" if singular.endswith("x") else "s")
    return [str(value) for value in (rule.get(singular), *(rule.get(plural) or ())) if value not in {None, ""}]


def _in_ports(ranges: list[str], port: int) -> bool:
    for text in ranges:
        first, _, last = text.partition("-")
        if text == "*" or int(first) <= port <= int(last or first):
            return True
    return False


def _in_prefixes(prefixes: list[str], address: str, connection: Connection) -> bool:
    return any(_in_prefix(prefix, address, connection) for prefix in prefixes)


def _in_prefix(prefix: str, address: str, connection: Connection) -> bool:
    tag = prefix.lower()
    if tag in {"*", "0.0.0.0/0"}:
        return True
    inside = any(ip_address(address) in ip_network(own) for own in connection.inside)
    if tag == "virtualnetwork":
        return inside
    if tag == "azureloadbalancer":
        return address == LOAD_BALANCER_PROBE
    if tag == "internet":
        return not inside and address != LOAD_BALANCER_PROBE
    try:
        return IPv4Address(address) in ip_network(prefix, strict=False)
    except ValueError:
        # A service tag of some other service of Azure, none of which is here.
        return False
