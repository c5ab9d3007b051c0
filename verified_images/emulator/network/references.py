"""Who refers to a network resource: what back references show and deletions are refused for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import same_id
from verified_images.emulator.network.lookup import id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

INTERFACE = "Microsoft.Network/networkInterfaces"
INSTANCE_INTERFACE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces"
PUBLIC_ADDRESS = "Microsoft.Network/publicIPAddresses"
INSTANCE_PUBLIC_ADDRESS = f"{INSTANCE_INTERFACE}/ipConfigurations/publicIPAddresses"
LOAD_BALANCER = "Microsoft.Network/loadBalancers"
PUBLIC_PREFIX = "Microsoft.Network/publicIPPrefixes"
NAT_GATEWAY = "Microsoft.Network/natGateways"
ROUTE_TABLE = "Microsoft.Network/routeTables"
APPLICATION_GROUP = "Microsoft.Network/applicationSecurityGroups"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
_INTERFACES = {INTERFACE.lower(), INSTANCE_INTERFACE.lower()}


@dataclass(frozen=True, slots=True)
class IpConfiguration:
    """One IP configuration of a network interface."""

    interface: Resource
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """Its resource id."""
        return f"{self.interface.id}/ipConfigurations/{self.body['name']}"

    @property
    def properties(self) -> dict[str, Any]:
        """Its properties."""
        properties: dict[str, Any] = self.body.get("properties") or {}
        return properties


def ip_configurations(interface: Resource) -> Iterator[IpConfiguration]:
    """Give the IP configurations of an interface, a virtual machine's or a scale set instance's."""
    for body in interface.properties.get("ipConfigurations") or ():
        yield IpConfiguration(interface, body)


def interfaces_naming(cloud: Cloud, target: object) -> list[Resource]:
    """Give the interfaces, of virtual machines and of scale set instances, that name a resource."""
    return [found for found in cloud.store.referrers(str(target)) if found.id.type.lower() in _INTERFACES]


def referrers_of_type(cloud: Cloud, target: object, kind: str) -> list[Resource]:
    """Give the resources of a type that name a resource."""
    return [found for found in cloud.store.referrers(str(target)) if found.id.type.lower() == kind.lower()]


def configurations_naming(cloud: Cloud, target: object, *properties: str) -> Iterator[IpConfiguration]:
    """Give the IP configurations whose ``properties`` (each a reference or a list of them) name a resource."""
    for interface in interfaces_naming(cloud, target):
        for configuration in ip_configurations(interface):
            if any(refers_to(configuration.properties.get(name), str(target)) for name in properties):
                yield configuration


def subnets_naming(cloud: Cloud, target: object, name: str) -> list[str]:
    """Give the ids of the subnets whose property ``name`` refers to a resource."""
    return [
        subnet["id"]
        for network in referrers_of_type(cloud, target, VIRTUAL_NETWORK)
        for subnet in network.properties["subnets"]
        if refers_to(subnet["properties"].get(name), str(target))
    ]


def refers_to(value: Any, target: str) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether a reference, or one in a list of references, names a resource."""
    references = value if isinstance(value, list) else [value]
    return any(same_id(id_of(reference), target) for reference in references)
