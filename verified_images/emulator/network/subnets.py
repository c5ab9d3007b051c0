"""Subnets: ranges of a virtual network that interfaces get their addresses from."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.part import Part, as_object, check_name
from verified_images.emulator.network.references import (
    LOAD_BALANCER,
    SCALE_SET,
    configurations_naming,
    referrers_of_type,
    refers_to,
)
from verified_images.emulator.network.subnet_services import delegated_actions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.arm_errors import ArmError
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration
    from verified_images.emulator.store import Resource

Network = IPv4Network | IPv6Network
_SMALLEST = 29
_READ_ONLY = {"ipConfigurations", "ipConfigurationProfiles", "privateEndpoints", "purpose"}


class Subnets(Part):
    """The subnets of a virtual network. A PUT of the network that does not speak of subnets leaves them alone."""

    collection: ClassVar[str] = "subnets"
    writable: ClassVar[bool] = True
    kept_when_absent: ClassVar[bool] = True

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check the range and what is referred to."""
        for reference in ("networkSecurityGroup", "routeTable", "natGateway"):
            if reference in given:
                target = require(cloud, parent, given[reference], path=f"properties.{reference}", kind=f"{reference}s")
                given[reference] = {"id": target}
        if "natGateway" in given and existing:
            self._check_standard(cloud, existing)
        given = {key: value for key, value in given.items() if key not in _READ_ONLY}
        prefixes = [given["addressPrefix"]] if given.get("addressPrefix") else given.get("addressPrefixes") or []
        if not prefixes:
            raise network_error(
                400,
                "AddressPrefixStringCannotBeNullOrEmpty",
                f"Address prefix string for resource {parent.id}/subnets/{name} cannot be null or empty.",
            )
        for prefix in prefixes:
            _check_range(parse_prefix(prefix, f"{parent.id}/subnets/{name}"), name, parent)
        if existing:
            self._check_shrunk(cloud, parent, existing, [parse_prefix(prefix, name) for prefix in prefixes])
        defaults: dict[str, Any] = {
            "ipamPoolPrefixAllocations": [],
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        }
        for key, fill_in in (("serviceEndpoints", _endpoint), ("delegations", _delegation)):
            if key in given:
                given[key] = [fill_in(f"{parent.id}/subnets/{name}", item) for item in given[key]]
        return defaults | given

    def render(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give a subnet; its delegations have its etag and state."""
        shown = super().render(cloud, parent, item)
        shown["properties"]["delegations"] = [
            {
                "name": found["name"],
                "id": found["id"],
                "etag": shown["etag"],
                "properties": {"provisioningState": shown["properties"]["provisioningState"], **found["properties"]},
                "type": f"{item['type']}/delegations",
            }
            for found in item["properties"]["delegations"]
        ]
        return shown

    def _check_standard(self, cloud: Cloud, existing: dict[str, Any]) -> None:
        for configuration in configurations_naming(cloud, existing["id"], "subnet"):
            if any(found.body["sku"]["name"] == "Basic" for found in balanced_by(cloud, configuration)):
                raise nat_gateway_needs_standard()
        for balancer in referrers_of_type(cloud, existing["id"], LOAD_BALANCER):
            if balancer.body["sku"]["name"] == "Basic":
                raise nat_gateway_needs_standard()

    def _check_shrunk(self, cloud: Cloud, parent: Resource, existing: dict[str, Any], networks: list[Network]) -> None:
        if set(networks) != set(subnet_ranges(existing)) and (users := list(self._users(cloud, existing))):
            raise network_error(
                400,
                "InUsePrefixCannotBeDeleted",
                f"IpPrefix {subnet_ranges(existing)[0]} on Subnet {existing['name']} has active allocations and cannot "
                f"be deleted: {parent.id} is in use by {users[0]}.",
            )

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the IP configurations and frontends in the subnet."""
        del parent
        users = [{"id": user} for user in self._users(cloud, item)]
        return {"ipConfigurations": users} if users else {}

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse while something has an address of the subnet, or a scale set may take one."""
        del parent
        scale_sets = (str(found.id) for found in referrers_of_type(cloud, item["id"], SCALE_SET))
        if user := next(chain(self._users(cloud, item), scale_sets), None):
            raise network_error(
                400,
                "InUseSubnetCannotBeDeleted",
                f"Subnet {item['name']} is in use by {user} and cannot be deleted. In order to delete the subnet, "
                "delete all the resources within the subnet. See aka.ms/deletesubnet.",
            )

    def _users(self, cloud: Cloud, item: dict[str, Any]) -> Iterator[str]:
        for configuration in configurations_naming(cloud, item["id"], "subnet"):
            yield configuration.id
        for balancer in referrers_of_type(cloud, item["id"], LOAD_BALANCER):
            for frontend in balancer.properties["frontendIPConfigurations"]:
                if refers_to(frontend["properties"].get("subnet"), item["id"]):
                    yield frontend["id"]


def _endpoint(subnet: str, given: dict[str, Any]) -> dict[str, Any]:
    if not given.get("service"):
        raise network_error(
            400, "ServiceEndpointServiceNotSpecified", f"A service endpoint of subnet {subnet} must name a service."
        )
    return {"provisioningState": "Succeeded", "locations": ["*"], **given}


def _delegation(subnet: str, given: dict[str, Any]) -> dict[str, Any]:
    service = as_object(given.get("properties"), "properties.delegations[].properties").get("serviceName")
    if not service:
        raise network_error(
            400, "DelegationServiceNameNotSpecified", f"A delegation of subnet {subnet} must name a service."
        )
    name = check_name(given.get("name"))
    return {
        "name": name,
        "id": f"{subnet}/delegations/{name}",
        "properties": {"serviceName": service, "actions": delegated_actions(str(service))},
    }


def balanced_by(cloud: Cloud, configuration: IpConfiguration) -> Iterator[Resource]:
    """Give the public address and the load balancers of an IP configuration."""
    for name in ("publicIPAddress", "loadBalancerBackendAddressPools", "loadBalancerInboundNatRules"):
        value = configuration.properties.get(name)
        for reference in value if isinstance(value, list) else [value]:
            top = id_of(reference).partition("/backendAddressPools/")[0].partition("/inboundNatRules/")[0]
            if top and (found := cloud.store.find(top)):
                yield found


def nat_gateway_needs_standard() -> ArmError:
    """Make the refusal of Basic addresses and load balancers in a subnet with a NAT gateway."""
    return network_error(
        400,
        "SubnetWithNatGatewayAndBasicSkuResourceNotAllowed",
        "NAT Gateway cannot be deployed on subnet containing Basic SKU Public IP addresses or Basic SKU Load Balancer.",
    )


def check_overlaps(network: Resource) -> None:
    """Refuse with ArmError a virtual network of which two subnets share addresses."""
    seen: list[tuple[str, Network]] = []
    for item in network.properties["subnets"]:
        for own in subnet_ranges(item):
            for _, other in seen:
                if own.version == other.version and own.overlaps(other):
                    raise network_error(
                        400,
                        "NetcfgSubnetRangesOverlap",
                        f"Subnet '{item['name']}' is not valid because its IP address range overlaps with that of an "
                        f"existing subnet in virtual network '{network.id.name}'.",
                    )
            seen.append((item["name"], own))


def subnet_ranges(item: dict[str, Any]) -> list[Network]:
    """Give the ranges of a subnet."""
    properties = item["properties"]
    prefixes = [properties["addressPrefix"]] if properties.get("addressPrefix") else properties["addressPrefixes"]
    return [ip_network(prefix) for prefix in prefixes]


def parse_prefix(prefix: str, owner: str) -> Network:
    """Read a range in CIDR notation.

    Raises:
        ArmError: 400: it is none.
    """
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise network_error(
            400,
            "InvalidCIDRNotation",
            f"The address prefix {prefix} in resource {owner} has an invalid CIDR notation. For the given prefix "
            "length, the address prefix should be a network address.",
        ) from error


def _check_range(own: Network, name: str, parent: Resource) -> None:
    space = [ip_network(prefix) for prefix in parent.properties["addressSpace"]["addressPrefixes"]]
    if not any(own.version == outer.version and own.subnet_of(outer) for outer in space):  # type: ignore[arg-type]
        raise network_error(
            400,
            "NetcfgSubnetRangeOutsideVnet",
            f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual "
            f"network '{parent.id.name}'.",
        )
    if own.version == 4 and own.prefixlen > _SMALLEST:  # noqa: PLR2004 - IPv4
        raise network_error(
            400, "NetcfgInvalidSubnet", f"Subnet '{name}' is not valid in virtual network '{parent.id.name}'."
        )
