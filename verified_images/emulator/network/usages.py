"""What of the network's quotas is used in a location. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.locations import normalize_location
from verified_images.emulator.network.references import (
    APPLICATION_GROUP,
    INTERFACE,
    LOAD_BALANCER,
    NAT_GATEWAY,
    PUBLIC_ADDRESS,
    PUBLIC_PREFIX,
    ROUTE_TABLE,
)
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_LIMITS = (
    ("VirtualNetworks", "Virtual Networks", 1000),
    ("StaticPublicIPAddresses", "Static Public IP Addresses", 1000),
    ("NetworkSecurityGroups", "Network Security Groups", 5000),
    ("PublicIPAddresses", "Public IP Addresses", 1000),
    ("PublicIpPrefixes", "Public Ip Prefixes", 2147483647),
    ("NatGateways", "Nat Gateways", 2147483647),
    ("NetworkInterfaces", "Network Interfaces", 65536),
    ("LoadBalancers", "Load Balancers", 1000),
    ("RouteTables", "Route Tables", 200),
    ("ApplicationSecurityGroups", "Application Security Groups.", 3000),
    ("StandardSkuLoadBalancers", "Standard Sku Load Balancers", 1000),
    ("StandardSkuPublicIpAddresses", "Standard Sku Public IP Addresses", 1000),
    ("DnsServersPerVirtualNetwork", "DNS servers per Virtual Network", 20),
    ("SubnetsPerVirtualNetwork", "Subnets per Virtual Network", 3000),
    ("IPConfigurationsPerVirtualNetwork", "IP Configurations per Virtual Network", 65536),
    ("SecurityRulesPerNetworkSecurityGroup", "Security rules per Network Security Group", 1000),
    ("InboundRulesPerLoadBalancer", "Inbound Rules per Load Balancer", 250),
    ("FrontendIPConfigurationPerLoadBalancer", "Frontend IP Configurations per Load Balancer", 200),
    ("SecondaryIPConfigurationsPerNetworkInterface", "Secondary IP Configurations per Network Interface", 256),
)
_COUNTED = {
    "VirtualNetworks": "Microsoft.Network/virtualNetworks",
    "NetworkSecurityGroups": "Microsoft.Network/networkSecurityGroups",
    "PublicIPAddresses": PUBLIC_ADDRESS,
    "StaticPublicIPAddresses": PUBLIC_ADDRESS,
    "StandardSkuPublicIpAddresses": PUBLIC_ADDRESS,
    "PublicIpPrefixes": PUBLIC_PREFIX,
    "NatGateways": NAT_GATEWAY,
    "RouteTables": ROUTE_TABLE,
    "ApplicationSecurityGroups": APPLICATION_GROUP,
    "NetworkInterfaces": INTERFACE,
    "LoadBalancers": LOAD_BALANCER,
    "StandardSkuLoadBalancers": LOAD_BALANCER,
}


def list_usages(cloud: Cloud, request: Request) -> Answer:
    """Give the quotas of a location and what of them is used; what is limited per parent counts as unused."""
    location = normalize_location(request.parameters["location"])
    base = (
        f"/subscriptions/{request.parameters['subscription']}/providers/Microsoft.Network/locations/{location}/usages"
    )
    value: list[dict[str, Any]] = [
        {
            "currentValue": _count(cloud, name, location),
            "id": f"{base}/{name}",
            "limit": limit,
            "name": {"localizedValue": title, "value": name},
            "unit": "Count",
        }
        for name, title, limit in _LIMITS
    ]
    return Answer(200, {"value": value})


def _count(cloud: Cloud, name: str, location: str) -> int:
    found = cloud.store.select(_COUNTED[name]) if name in _COUNTED else []
    return sum(resource.location == location and _counts(name, resource) for resource in found)


def _counts(name: str, resource: Resource) -> bool:
    if name.startswith("Static"):
        return bool(resource.properties["publicIPAllocationMethod"] == "Static")
    if name.startswith("Standard"):
        return bool(resource.body["sku"]["name"] == "Standard")
    return True
