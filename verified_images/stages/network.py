"""An existing virtual network that the template names: found, with the subnet that the machines go into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id
from verified_images.cloud.network import list_virtual_networks
from verified_images.errors import PreflightError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.stages.context import BuildContext
    from verified_images.templates.model import VirtualNetwork


def find_subnet(context: BuildContext, wanted: VirtualNetwork) -> str:
    """Return the ARM id of the subnet; its network is looked for in the whole subscription if no group is given.

    Raises:
        PreflightError: there is not exactly one such network, or subnet, or it is in another location.
        CloudError: ARM refused to tell.
    """
    network = _find_network(context, wanted)
    location = str(network["location"]).replace(" ", "").lower()
    if location != context.place.location:
        raise PreflightError(
            [f"builder.virtual_network: '{wanted.name}' is in '{location}', not in '{context.place.location}'"]
        )
    subnets = {str(each["name"]): str(each["id"]) for each in network["properties"].get("subnets") or []}
    known = ", ".join(sorted(subnets)) or "none"
    if wanted.subnet is None:
        if len(subnets) == 1:
            return next(iter(subnets.values()))
        raise PreflightError([f"builder.virtual_network.subnet: say which subnet of '{wanted.name}': {known}"])
    found = next((id_ for name, id_ in subnets.items() if name.lower() == wanted.subnet.lower()), None)
    if found is None:
        raise PreflightError(
            [f"builder.virtual_network.subnet: '{wanted.name}' has no subnet '{wanted.subnet}'; it has {known}"]
        )
    return found


def _find_network(context: BuildContext, wanted: VirtualNetwork) -> Mapping[str, Any]:
    networks = list_virtual_networks(context.arm, wanted.resource_group)
    found = [network for network in networks if str(network["name"]).lower() == wanted.name.lower()]
    if not found:
        where = f"in '{wanted.resource_group}'" if wanted.resource_group else "in the subscription"
        raise PreflightError([f"builder.virtual_network: there is no virtual network '{wanted.name}' {where}"])
    if len(found) > 1:
        groups = ", ".join(sorted(parse_id(str(network["id"])).group for network in found))
        raise PreflightError(
            [f"builder.virtual_network.resource_group: there is a network '{wanted.name}' in each of {groups}"]
        )
    return found[0]
