"""Backend address pools: the machines that a load balancer's rules lead to."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.balancer_rules import ids, is_standard
from verified_images.emulator.network.nat import is_range, mapped_ports
from verified_images.emulator.network.part import Part
from verified_images.emulator.network.pools import MEMBERSHIP, forget_in_interfaces, listed_addresses
from verified_images.emulator.network.references import SCALE_SET, configurations_naming, referrers_of_type, refers_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration
    from verified_images.emulator.store import Resource

POOLS_WRITTEN = "pools_written"
"""Where a load balancer notes that one of its pools was written by itself."""

_TUNNEL_PORT = 10800
_READ_ONLY = {"backendIPConfigurations", "loadBalancingRules", "outboundRules", "inboundNatRules", "outboundRule"}


class BackendAddressPools(Part):
    """The pools of a load balancer. What is stored of one's addresses is those given, not those of interfaces."""

    collection: ClassVar[str] = "backendAddressPools"
    writable: ClassVar[bool] = True

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Keep what a client sets: addresses, not the interfaces that it read back."""
        del cloud, name, existing
        properties = {key: value for key, value in given.items() if key not in _READ_ONLY}
        if tunnels := properties.get("tunnelInterfaces"):
            properties["tunnelInterfaces"] = [{"port": _TUNNEL_PORT, **tunnel} for tunnel in tunnels]
        if not is_standard(parent):
            return properties
        return {**properties, "loadBalancerBackendAddresses": listed_addresses({"properties": given})}

    def note_written(self, parent: Resource) -> None:
        """Note that the pool was written by itself, after which the data path follows every change."""
        parent.hidden[POOLS_WRITTEN] = True

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the members and the rules that lead to them."""
        members = list(configurations_naming(cloud, item["id"], MEMBERSHIP))
        nat_rules = [
            rule for rule in parent.properties["inboundNatRules"] if _leads_to(rule, item["id"]) and is_range(rule)
        ]
        mappings = [(rule, mapped_ports(cloud, parent, rule)) for rule in nat_rules]
        listed = [_entry(parent, item, str(entry.get("name")), entry["properties"]) for entry in listed_addresses(item)]
        shown = {
            "backendIPConfigurations": [{"id": member.id} for member in members],
            "outboundRules": ids(rule for rule in parent.properties["outboundRules"] if _leads_to(rule, item["id"])),
            "loadBalancingRules": ids(
                rule for rule in parent.properties["loadBalancingRules"] if _leads_to(rule, item["id"])
            ),
            "inboundNatRules": ids(nat_rules),
        }
        of_interfaces = [_member_entry(parent, item, member, mappings) for member in members]
        return {
            **({"loadBalancerBackendAddresses": [*of_interfaces, *listed]} if is_standard(parent) else {}),
            **{name: found for name, found in shown.items() if found},
        }

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse while a scale set's model names the pool."""
        del parent
        for scale_set in referrers_of_type(cloud, item["id"], SCALE_SET):
            raise network_error(
                400,
                "LoadBalancerInUseByVirtualMachineScaleSet",
                f"Cannot remove backend address pool {item['name']} from load balancer since it is in use by virtual "
                f"machine scale set {scale_set.id}.",
            )

    def release(self, cloud: Cloud, item: dict[str, Any]) -> None:
        """Take the pool out of the interfaces that name it."""
        forget_in_interfaces(cloud, item["id"])


def _leads_to(rule: dict[str, Any], pool_id: str) -> bool:
    properties = rule["properties"]
    return refers_to(properties.get("backendAddressPool"), pool_id) or refers_to(
        properties.get("backendAddressPools") or [], pool_id
    )


def _member_entry(
    parent: Resource,
    pool: dict[str, Any],
    member: IpConfiguration,
    mappings: list[tuple[dict[str, Any], list[tuple[IpConfiguration, int]]]],
) -> dict[str, Any]:
    ports = [
        {
            "inboundNatRuleName": rule["name"],
            "frontendPort": port,
            "backendPort": rule["properties"]["backendPort"],
        }
        for rule, port in _ports_of(member, mappings)
    ]
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pool['id']} {member.id}".lower()))
    properties: dict[str, Any] = {"networkInterfaceIPConfiguration": {"id": member.id}}
    if ports:
        properties["inboundNatRulesPortMapping"] = ports
    return _entry(parent, pool, name, properties)


def _ports_of(
    member: IpConfiguration, mappings: list[tuple[dict[str, Any], list[tuple[IpConfiguration, int]]]]
) -> Iterator[tuple[dict[str, Any], int]]:
    for rule, members in mappings:
        for other, port in members:
            if other.id == member.id:
                yield rule, port


def _entry(parent: Resource, pool: dict[str, Any], name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "id": f"{pool['id']}/loadBalancerBackendAddresses/{name}",
        "etag": parent.body["etag"],
        "properties": {"provisioningState": parent.state, **properties},
        "type": f"{parent.id.type}/backendAddressPools/loadBalancerBackendAddresses",
    }
