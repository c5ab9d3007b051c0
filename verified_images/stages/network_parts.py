"""The parts of a build's networks, each registered before it is made; independent ones are made at once.

The build VM and the scale set have parts of their own, in one virtual network.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from verified_images.cloud.load_balancers import Service, create_load_balancer
from verified_images.cloud.network import (
    Opening,
    begin_public_address,
    begin_security_group,
    begin_virtual_network,
    create_interface,
)
from verified_images.stages.together import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.stages.context import BuildContext
    from verified_images.stages.preflight import BuildPlan

LOAD_BALANCER_TAG = "AzureLoadBalancer"


def make_machine_network(context: BuildContext, plan: BuildPlan) -> str:
    """Create the network that admits SSH from the caller alone; return the machine's private address.

    Parts that an earlier attempt has made are used again.
    """
    place, names, builder = context.place, context.run.names, context.template.builder
    nsg, vnet, address = network_ids(context)
    openings = [Opening("ssh", builder.ssh_port, plan.callers)]
    parts = {nsg: functools.partial(_make_security_group, context, names.nsg, openings)}
    if plan.subnet is None:
        parts[vnet] = functools.partial(_make_virtual_network, context)
    if builder.public_ip:
        parts[address] = functools.partial(_make_public_address, context, names.public_ip, builder.public_ip_sku)
    together([make for part, make in parts.items() if not context.undo.is_registered(part)])
    context.undo.register("network interface", place.network_id("networkInterfaces", names.nic))
    return create_interface(
        context.arm,
        place,
        names.nic,
        subnet_id=subnet_of(context, plan),
        security_group_id=place.network_id("networkSecurityGroups", names.nsg),
        public_address_id=place.network_id("publicIPAddresses", names.public_ip) if builder.public_ip else None,
        accelerated=builder.accelerated_networking,
    )


def network_ids(context: BuildContext) -> tuple[str, str, str]:
    """Return the ids of the build VM's security group, virtual network and public address."""
    place, names = context.place, context.run.names
    return (
        place.network_id("networkSecurityGroups", names.nsg),
        place.network_id("virtualNetworks", names.vnet),
        place.network_id("publicIPAddresses", names.public_ip),
    )


def make_scale_set_network(context: BuildContext, plan: BuildPlan) -> None:
    """Create what a scale set of the build needs in the network that its machine has, its load balancer last."""
    place, names, smoke = context.place, context.run.names, context.template.smoke
    public, ssh_port = context.template.builder.public_ip, context.template.builder.ssh_port
    openings = [Opening("ssh", ssh_port, plan.callers)]
    if smoke.port:
        openings.append(Opening("smoke", smoke.port, plan.callers))
        openings.append(Opening("probe", smoke.port, (LOAD_BALANCER_TAG,)))
    parts = [functools.partial(_make_security_group, context, names.scale_set_nsg, openings)]
    if public:
        parts.append(functools.partial(_make_public_address, context, names.load_balancer_public_ip, "Standard"))
    together(parts)
    context.undo.register("load balancer", place.network_id("loadBalancers", names.load_balancer))
    create_load_balancer(
        context.arm,
        place,
        names.load_balancer,
        public_address_id=place.network_id("publicIPAddresses", names.load_balancer_public_ip) if public else None,
        subnet_id=subnet_of(context, plan),
        service=Service(smoke.port, smoke.path) if smoke.port else None,
        flexible=smoke.orchestration == "flexible",
        ssh_port=ssh_port,
    )


def subnet_of(context: BuildContext, plan: BuildPlan) -> str:
    """Return the id of the subnet that all machines of the build are in."""
    names = context.run.names
    return plan.subnet or context.place.network_id("virtualNetworks/subnets", names.vnet, names.subnet)


def _make_security_group(context: BuildContext, name: str, openings: Sequence[Opening]) -> None:
    context.undo.register("network security group", context.place.network_id("networkSecurityGroups", name))
    begin_security_group(context.arm, context.place, name, openings).result()


def _make_virtual_network(context: BuildContext) -> None:
    names = context.run.names
    context.undo.register("virtual network", context.place.network_id("virtualNetworks", names.vnet))
    begin_virtual_network(context.arm, context.place, names.vnet, names.subnet).result()


def _make_public_address(context: BuildContext, name: str, sku: str) -> None:
    context.undo.register("public IP address", context.place.network_id("publicIPAddresses", name))
    begin_public_address(context.arm, context.place, name, sku=sku).result()
