"""Inbound NAT: a port of a load balancer's frontend for each machine, by rule or out of a range.

A range serves the members of a backend pool (inbound NAT rule, version 2) or the instances of a scale set
(inbound NAT pool); an instance's interface names the rule ``<pool>.<instance>`` that a pool makes for it. Recorded
ports are the range's start plus the instance's number; what does not fit gets the lowest port that is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import same_id
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.pools import pool_members
from verified_images.emulator.network.references import (
    INSTANCE_INTERFACE,
    SCALE_SET,
    configurations_naming,
    ip_configurations,
    referrers_of_type,
    refers_to,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration
    from verified_images.emulator.store import Resource

RULES = "loadBalancerInboundNatRules"


def nat_target(cloud: Cloud, balancer: Resource, frontend: str, port: int) -> tuple[IpConfiguration, int] | None:
    """Give the IP configuration and its port that NAT leads a frontend's port to, or None."""
    for rule in (*balancer.properties["inboundNatRules"], *balancer.properties["inboundNatPools"]):
        properties = rule["properties"]
        if refers_to(properties["frontendIPConfiguration"], frontend) and properties["protocol"] in {"Tcp", "All"}:
            for member, frontend_port in mapped_ports(cloud, balancer, rule):
                if frontend_port == port:
                    return member, int(properties["backendPort"])
    return None


def mapped_ports(cloud: Cloud, balancer: Resource, rule: dict[str, Any]) -> list[tuple[IpConfiguration, int]]:
    """Give the machines that an inbound NAT rule or pool leads to, each with its port of the frontend."""
    properties = rule["properties"]
    if not is_range(rule):
        return [(member, int(properties["frontendPort"])) for member in configurations_naming(cloud, rule["id"], RULES)]
    pool = id_of(properties.get("backendAddressPool"))
    members = pool_members(cloud, pool) if pool else _instances(cloud, balancer, rule)
    return list(_assign(cloud, balancer, rule, members))


def port_mappings(
    cloud: Cloud, balancer: Resource, pool: str, *, configuration: str, address: str | None
) -> list[dict[str, Any]]:
    """Give the frontend ports that the rules of a pool have for one member, named by its id or private address."""
    return [
        {
            "inboundNatRuleName": rule["name"],
            "protocol": rule["properties"]["protocol"],
            "frontendPort": port,
            "backendPort": int(rule["properties"]["backendPort"]),
        }
        for rule in balancer.properties["inboundNatRules"]
        if refers_to(rule["properties"].get("backendAddressPool"), pool)
        for member, port in mapped_ports(cloud, balancer, rule)
        if same_id(member.id, configuration) or (address and member.properties.get("privateIPAddress") == address)
    ]


def _instances(cloud: Cloud, balancer: Resource, pool: dict[str, Any]) -> list[IpConfiguration]:
    """Give the instances of scale sets that name a pool: each has a rule that is called after both."""
    return [
        configuration
        for scale_set in referrers_of_type(cloud, pool["id"], SCALE_SET)
        for interface in cloud.store.select(INSTANCE_INTERFACE, under=scale_set.id)
        for configuration in ip_configurations(interface)
        if refers_to(configuration.properties.get(RULES) or [], _rule_id(balancer, pool, configuration))
    ]


def _rule_id(balancer: Resource, pool: dict[str, Any], configuration: IpConfiguration) -> str:
    return f"{balancer.id}/inboundNatRules/{pool['name']}.{configuration.interface.id.names[1]}"


def shown_rules(cloud: Cloud, balancer: Resource) -> list[dict[str, Any]]:
    """Give the inbound NAT rules of a load balancer: its own, and one for each instance that a pool serves."""
    return [*balancer.properties["inboundNatRules"], *_pool_rules(cloud, balancer)]


def _pool_rules(cloud: Cloud, balancer: Resource) -> Iterator[dict[str, Any]]:
    for pool in balancer.properties["inboundNatPools"]:
        shared = {key: value for key, value in pool["properties"].items() if not key.startswith("frontendPortRange")}
        for member, port in mapped_ports(cloud, balancer, pool):
            identifier = _rule_id(balancer, pool, member)
            yield {
                "name": identifier.rpartition("/")[2],
                "id": identifier,
                "type": f"{balancer.id.type}/inboundNatRules",
                "properties": {**shared, "frontendPort": port, "backendIPConfiguration": {"id": member.id}},
            }


def is_range(rule: dict[str, Any]) -> bool:
    """Tell whether a rule has a range of ports rather than one."""
    return rule["properties"].get("frontendPortRangeStart") is not None


def _assign(
    cloud: Cloud, balancer: Resource, rule: dict[str, Any], members: Sequence[IpConfiguration]
) -> Iterator[tuple[IpConfiguration, int]]:
    """Give each member its port; one that it has once is its own as long as it is a member."""
    with cloud.store.lock:
        current = cloud.store.find(balancer.id) or balancer
        ports: dict[str, dict[str, int]] = current.hidden.setdefault("nat_ports", {})
        before = ports.get(rule["id"].lower(), {})
        names = [member.id.lower() for member in members]
        after = {name: port for name, port in before.items() if name in names}
        free = _free_ports(rule, after)
        for name, member in zip(names, members, strict=True):
            if name not in after and (port := _choose(rule, member, free)) is not None:
                after[name] = port
                free.remove(port)
        if after != before:
            ports[rule["id"].lower()] = after
            cloud.store.put(current)
    for name, member in zip(names, members, strict=True):
        if name in after:
            yield member, after[name]


def _free_ports(rule: dict[str, Any], taken: dict[str, int]) -> list[int]:
    properties = rule["properties"]
    ports = range(int(properties["frontendPortRangeStart"]), int(properties["frontendPortRangeEnd"]) + 1)
    return sorted(set(ports) - set(taken.values()))


def _choose(rule: dict[str, Any], member: IpConfiguration, free: list[int]) -> int | None:
    start, identifier = int(rule["properties"]["frontendPortRangeStart"]), member.interface.id
    if identifier.type.lower() == INSTANCE_INTERFACE.lower() and identifier.names[1].isdigit():
        wanted = start + int(identifier.names[1])
        if wanted in free:
            return wanted
    return free[0] if free else None
