"""Rules of a load balancer that contradict each other, or refer to parts that it does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.addresses import missing_reference
from verified_images.emulator.network.lookup import id_of, named, pick
from verified_images.emulator.network.nat import is_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.store import Resource

_RULES = ("loadBalancingRules", "inboundNatRules", "inboundNatPools", "outboundRules")
_REFERENCES = (
    "frontendIPConfiguration",
    "frontendIPConfigurations",
    "backendAddressPool",
    "backendAddressPools",
    "probe",
)


def check_rules(balancer: Resource) -> None:
    """Refuse with ArmError a load balancer with rules that cannot stand together."""
    for collection in _RULES:
        for rule in balancer.properties[collection]:
            _check_references(balancer, rule)
    _check_backend_ports(balancer)
    _check_frontend_ports(balancer)


def _check_references(balancer: Resource, rule: dict[str, Any]) -> None:
    for name in _REFERENCES:
        value = rule["properties"].get(name)
        for reference in value if isinstance(value, list) else [value]:
            if target := id_of(reference):
                part = ResourceId.parse(target)
                if pick(named(balancer.properties, part.types[-1]), part.name) is None:
                    raise network_error(400, "InvalidResourceReference", missing_reference(target, rule["id"]))


def _check_backend_ports(balancer: Resource) -> None:
    seen: dict[tuple[str, int, str], str] = {}
    for rule in balancer.properties["loadBalancingRules"]:
        properties = rule["properties"]
        if properties["enableFloatingIP"]:
            continue
        single = properties.get("backendAddressPool")
        for pool in properties.get("backendAddressPools") or ([single] if single else []):
            key = (properties["protocol"], properties["backendPort"], pool["id"].lower())
            if key in seen:
                raise network_error(
                    400,
                    "RulesUseSameBackendPortProtocolAndPool",
                    f"Load balancing rules {seen[key]} and {rule['id']} with floating IP disabled use the same "
                    f"protocol {key[0]} and backend port {key[1]}, and must not be used with the same backend address "
                    f"pool {pool['id']}.",
                )
            seen[key] = rule["id"]


def _check_frontend_ports(balancer: Resource) -> None:
    seen: list[tuple[tuple[str, str], range, str]] = []
    for rule in _with_frontend(balancer):
        properties = rule["properties"]
        key = (properties["protocol"], id_of(properties["frontendIPConfiguration"]).lower())
        ports = _ports(rule)
        for other_key, other_ports, other in seen:
            if key == other_key and ports.start < other_ports.stop and other_ports.start < ports.stop:
                raise network_error(
                    400,
                    "RulesUseSameFrontendPortProtocolAndFrontendIPConfig",
                    f"Load balancer rules {other} and {rule['id']} use the same frontend port, protocol {key[0]} and "
                    f"frontend IP configuration {id_of(properties['frontendIPConfiguration'])}.",
                )
        seen.append((key, ports, rule["id"]))


def _with_frontend(balancer: Resource) -> Iterator[dict[str, Any]]:
    for collection in ("loadBalancingRules", "inboundNatRules", "inboundNatPools"):
        yield from balancer.properties[collection]


def _ports(rule: dict[str, Any]) -> range:
    properties = rule["properties"]
    if is_range(rule):
        return range(properties["frontendPortRangeStart"], properties["frontendPortRangeEnd"] + 1)
    return range(properties["frontendPort"], properties["frontendPort"] + 1)
