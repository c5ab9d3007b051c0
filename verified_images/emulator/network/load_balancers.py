"""Load balancers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network.backend_address_pools import POOLS_WRITTEN, BackendAddressPools
from verified_images.emulator.network.balancer_conflicts import check_rules
from verified_images.emulator.network.balancer_rules import is_standard
from verified_images.emulator.network.frontend_ip_configurations import FrontendIPConfigurations, in_subnets
from verified_images.emulator.network.inbound_nat import InboundNatPools, InboundNatRules
from verified_images.emulator.network.kind import NetworkKind, changed
from verified_images.emulator.network.load_balancing_rules import LoadBalancingRules, OutboundRules
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.nat import port_mappings
from verified_images.emulator.network.part import canonical
from verified_images.emulator.network.pools import listed_addresses, pool_members
from verified_images.emulator.network.probes import Probes
from verified_images.emulator.network.references import INTERFACE, LOAD_BALANCER, SCALE_SET, referrers_of_type
from verified_images.emulator.network.versions import as_of
from verified_images.emulator.operations import NETWORK, Work
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.part import Part
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


_IN_USE = "in_use"
_VERSION_OF_FRONTENDS_SINCE = "2019-04-01"
"""The api-version since which the version of its address is shown of a frontend. Source: recorded answers."""


class LoadBalancers(NetworkKind):
    """Microsoft.Network/loadBalancers."""

    type: ClassVar[str] = LOAD_BALANCER
    style: ClassVar[Style] = Style(
        NETWORK, created=(201, "Succeeded"), updated=(200, "Succeeded"), etag="network", retry_delete=10
    )
    parts: ClassVar[tuple[Part, ...]] = (
        FrontendIPConfigurations(),
        BackendAddressPools(),
        Probes(),
        LoadBalancingRules(),
        InboundNatRules(),
        OutboundRules(),
        InboundNatPools(),
    )

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check the SKU, which cannot change."""
        del cloud
        sku = resource.body.get("sku") or {}
        resource.body["sku"] = {
            "name": canonical(sku.get("name", "Basic"), ("Basic", "Standard", "Gateway")),
            "tier": canonical(sku.get("tier", "Regional"), ("Regional", "Global")),
        }
        if existing and existing.body["sku"] != resource.body["sku"]:
            raise network_error(
                400,
                "LoadBalancerSkuCannotBeChanged",
                f"The sku of load balancer {resource.id} cannot be changed from {existing.body['sku']['name']} to "
                f"{resource.body['sku']['name']}.",
            )
        return given

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Give the load balancer that a PUT leaves, and note whether machines are behind it."""
        resource = super().complete(cloud, request, body, existing)
        pools = existing.properties["backendAddressPools"] if existing else []
        resource.hidden[_IN_USE] = any(listed_addresses(pool) or pool_members(cloud, pool["id"]) for pool in pools)
        return resource

    def first_answer(self, resource: Resource, existing: Resource | None) -> tuple[int, str]:
        """Give status and state: what the data path has to follow takes its time. Source: recorded answers."""
        if existing is None or not changed(resource, existing):
            return super().first_answer(resource, existing)
        sku = resource.body["sku"]
        slow = (
            resource.hidden.get(_IN_USE)
            or resource.hidden.get(POOLS_WRITTEN)
            or "Global" in sku["tier"]
            or "Gateway" in sku["name"]
            or in_subnets(resource) != in_subnets(existing)
        )
        return 200, "Updating" if slow else "Succeeded"

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the load balancer; a Basic one has no outbound rules."""
        body = super().render(cloud, resource, request)
        if request.api_version < _VERSION_OF_FRONTENDS_SINCE:
            for frontend in body["properties"]["frontendIPConfigurations"]:
                frontend["properties"].pop("privateIPAddressVersion", None)
        if not is_standard(resource):
            body["properties"].pop("outboundRules", None)
            body["properties"] |= as_of(request.api_version, {"outboundNatRules": []})
        return body

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse rules that contradict each other."""
        del cloud
        check_rules(resource)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a scale set's model or an interface names a part of the load balancer."""
        for part in self.parts:
            for item in part.items(resource):
                for scale_set in referrers_of_type(cloud, item["id"], SCALE_SET):
                    raise network_error(
                        400,
                        "LoadBalancerInUseByVirtualMachineScaleSet",
                        f"Cannot delete load balancer {resource.id} since its child resources {item['name']} are in "
                        f"use by virtual machine scale set {scale_set.id}.",
                    )

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of the parts, and the list of the interfaces behind the load balancer."""
        yield from super().more_routes()
        yield Route("GET", f"{self.collection_pattern()}/{{name}}/networkInterfaces", self._list_interfaces)
        pool = f"{self.collection_pattern()}/{{parent1}}/backendAddressPools/{{name}}"
        yield Route("POST", f"{pool}/queryInboundNatRulePortMapping", self._query_ports)

    def _query_ports(self, cloud: Cloud, request: Request) -> Answer:
        pool, body = request.id, request.json()
        balancer = self.find(cloud, pool.parent or pool)
        if find_part(cloud, pool) is None:
            raise network_error(404, "NotFound", f"Resource {pool} not found.")
        mappings = port_mappings(
            cloud, balancer, str(pool), configuration=id_of(body.get("ipConfiguration")), address=body.get("ipAddress")
        )
        started = cloud.operations.start(
            request,
            f"{self.type}/backendAddressPools/queryInboundNatRulePortMapping/action",
            balancer.location,
            Work(lambda: {"inboundNatRulePortMappings": mappings}),
            track=NETWORK,
        )
        headers = dict(started.location_header)
        if not started.at_once:
            headers["Retry-After"] = "10"
        return Answer(202, None, headers)

    def _list_interfaces(self, cloud: Cloud, request: Request) -> Answer:
        balancer = self.find(cloud, request.id)
        found: dict[str, Resource] = {}
        for part in self.parts:
            for item in part.items(balancer):
                for interface in referrers_of_type(cloud, item["id"], INTERFACE):
                    found[interface.id.key] = interface
        kind = cloud.kind_of(INTERFACE)
        shown = [kind.render(cloud, interface, request) for interface in found.values()] if kind else []
        return page(cloud, request, shown)
