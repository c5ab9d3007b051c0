"""The load balancer in front of a scale set: one public address that leads to every instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.network import SSH_FRONTEND_PORTS, SSH_PORT

if TYPE_CHECKING:
    from verified_images.cloud.operations import Arm, Body
    from verified_images.cloud.place import Place

FRONTEND = "frontend"
BACKEND_POOL = "instances"
SSH_POOL = "ssh"
PROBE = "smoke"


@dataclass(frozen=True, slots=True)
class Service:
    """What the load balancer serves: a TCP port, and the HTTP path on it that tells whether it is well."""

    port: int
    path: str


def create_load_balancer(  # noqa: PLR0913 - what the load balancer is for
    arm: Arm,
    place: Place,
    name: str,
    *,
    public_address_id: str | None,
    subnet_id: str | None = None,
    service: Service | None,
    flexible: bool = False,
    ssh_port: int = SSH_PORT,
) -> str:
    """Make a load balancer with a port for each instance's SSH server, and the service if given; return its id.

    A uniform scale set names the inbound NAT pool whose ports its instances get; the machines of a ``flexible`` one
    get theirs from a rule for the whole backend pool. Without a public address it answers in the subnet.
    """
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "sku": {"name": "Standard"},
        "properties": {
            **_properties(place, name, _frontend(public_address_id, subnet_id), service),
            **_ssh_ports(place, name, ssh_port, flexible=flexible),
        },
    }
    balancers = arm.connection.network.load_balancers
    arm.run(
        "create load balancer",
        name,
        lambda: balancers.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("load balancer", name, lambda: balancers.get(place.group, name)),
    )
    return place.network_id("loadBalancers", name)


def _frontend(public_address_id: str | None, subnet_id: str | None) -> Body:
    if public_address_id is None:
        return {"privateIPAllocationMethod": "Dynamic", "subnet": {"id": subnet_id}}
    return {"publicIPAddress": {"id": public_address_id}}


def read_private_frontend(arm: Arm, place: Place, name: str) -> str:
    """Return the private address at which a load balancer without a public one answers."""
    balancers = arm.connection.network.load_balancers
    answer = arm.call("get load balancer", name, lambda: balancers.get(place.group, name))
    return str(answer["properties"]["frontendIPConfigurations"][0]["properties"]["privateIPAddress"])


def _properties(place: Place, name: str, frontend: Body, service: Service | None) -> Body:
    frontend_id = place.network_id("loadBalancers/frontendIPConfigurations", name, FRONTEND)
    pool_id = place.network_id("loadBalancers/backendAddressPools", name, BACKEND_POOL)
    properties: Body = {
        "frontendIPConfigurations": [{"name": FRONTEND, "properties": frontend}],
        "backendAddressPools": [{"name": BACKEND_POOL}],
    }
    if service:
        probe_id = place.network_id("loadBalancers/probes", name, PROBE)
        properties["probes"] = [_probe(service)]
        properties["loadBalancingRules"] = [_rule(service, frontend_id, pool_id, probe_id)]
    return properties


def _ssh_ports(place: Place, name: str, ssh_port: int, *, flexible: bool) -> Body:
    first, last = SSH_FRONTEND_PORTS
    properties: Body = {
        "protocol": "Tcp",
        "frontendIPConfiguration": {"id": place.network_id("loadBalancers/frontendIPConfigurations", name, FRONTEND)},
        "frontendPortRangeStart": first,
        "frontendPortRangeEnd": last,
        "backendPort": ssh_port,
    }
    if not flexible:
        return {"inboundNatPools": [{"name": SSH_POOL, "properties": properties}]}
    pool = {"id": place.network_id("loadBalancers/backendAddressPools", name, BACKEND_POOL)}
    return {"inboundNatRules": [{"name": SSH_POOL, "properties": {**properties, "backendAddressPool": pool}}]}


def _probe(service: Service) -> Body:
    return {
        "name": PROBE,
        "properties": {
            "protocol": "Http",
            "port": service.port,
            "requestPath": service.path,
            "intervalInSeconds": 5,
            "probeThreshold": 1,
        },
    }


def _rule(service: Service, frontend_id: str, pool_id: str, probe_id: str) -> Body:
    return {
        "name": PROBE,
        "properties": {
            "protocol": "Tcp",
            "frontendIPConfiguration": {"id": frontend_id},
            "backendAddressPool": {"id": pool_id},
            "probe": {"id": probe_id},
            "frontendPort": service.port,
            "backendPort": service.port,
            "idleTimeoutInMinutes": 4,
        },
    }
