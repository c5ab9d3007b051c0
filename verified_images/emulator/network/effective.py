"""What rules and routes hold for an interface in the end, its subnet's and its own together.

Source: Azure OpenAPI, ``NetworkInterfaces_ListEffectiveNetworkSecurityGroups`` and ``_GetEffectiveRouteTable``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.references import ip_configurations
from verified_images.emulator.operations import NETWORK, Work
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_POLL_SECONDS = 10
_NOTIFIED_SINCE = "2021-08-01"
_ALL_PORTS = "0-65535"
_NOWHERE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
"""What Azure routes nowhere unless a virtual network has it."""


def answer_later(
    cloud: Cloud, request: Request, interface: Resource, verb: str, find: Callable[[], list[dict[str, Any]]]
) -> Answer:
    """Answer a question whose result is fetched at the Location.

    Raises:
        ArmError: 400: the interface is not that of a running machine.
    """
    machine = cloud.store.find(id_of(interface.properties.get("virtualMachine")))
    if machine is None or not cloud.hypervisor.is_running(str(machine.hidden.get("guest", ""))):
        raise network_error(
            400,
            "NetworkInterfaceNotAttachedToRunningVirtualMachine",
            f"Network interface {interface.id} must be attached to a running virtual machine for its effective rules "
            "and routes to be known.",
        )
    started = cloud.operations.start(
        request,
        f"{interface.id.type}/{verb}/action",
        interface.location,
        Work(lambda: {"value": find()}),
        track=NETWORK,
    )
    headers = dict(started.location_header)
    if request.api_version >= _NOTIFIED_SINCE:
        headers["azure-asyncnotification"] = "Enabled"
    if not started.at_once:
        headers["Retry-After"] = str(_POLL_SECONDS)
    return Answer(202, None, headers)


def effective_groups(cloud: Cloud, interface: Resource) -> list[dict[str, Any]]:
    """Give the security groups of an interface and of its subnets, with their rules spelt out."""
    found = [_effective(cloud, group, association) for group, association in _associations(cloud, interface)]
    return [group for group in found if group]


def _associations(cloud: Cloud, interface: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    if group := id_of(interface.properties.get("networkSecurityGroup")):
        yield group, {"networkInterface": {"id": str(interface.id)}}
    for subnet in _subnets(interface):
        properties = (find_part(cloud, subnet) or {}).get("properties", {})
        if group := id_of(properties.get("networkSecurityGroup")):
            yield group, {"subnet": {"id": subnet}}


def _subnets(interface: Resource) -> list[str]:
    return list(dict.fromkeys(id_of(found.properties.get("subnet")) for found in ip_configurations(interface)))


def _effective(cloud: Cloud, group_id: str, association: dict[str, Any]) -> dict[str, Any] | None:
    group = cloud.store.find(group_id)
    if group is None:
        return None
    rules = [
        _spell_out(collection, rule)
        for collection in ("securityRules", "defaultSecurityRules")
        for rule in group.properties[collection]
    ]
    return {
        "networkSecurityGroup": {"id": group_id},
        "association": association,
        "effectiveSecurityRules": rules,
        "tagMap": {},
    }


def _spell_out(collection: str, rule: dict[str, Any]) -> dict[str, Any]:
    properties = rule["properties"]
    shown: dict[str, Any] = {
        "name": f"{collection}/{rule['name']}",
        "protocol": "All" if properties["protocol"] == "*" else properties["protocol"],
    }
    for singular, everything in (("PortRange", _ALL_PORTS), ("AddressPrefix", "0.0.0.0/0")):
        for side in ("source", "destination"):
            name = f"{side}{singular}"
            plural = name + ("es" if name.endswith("x") else "s")
            values = [properties[name]] if properties.get(name) else properties.get(plural) or []
            values = [everything if value == "*" else _as_range(singular, str(value)) for value in values]
            shown |= {name: values[0] if values else "", plural: values}
    return shown | {key: properties[key] for key in ("access", "priority", "direction")}


def _as_range(kind: str, value: str) -> str:
    if kind == "PortRange":
        return value if "-" in value else f"{value}-{value}"
    return f"{value}/32" if value[:1].isdigit() and "/" not in value else value


def effective_routes(cloud: Cloud, interface: Resource) -> list[dict[str, Any]]:
    """Give the routes of an interface: Azure's own, and those of its subnet's table."""
    subnet = _subnets(interface)[0]
    network_id = ResourceId.parse(subnet).parent
    network = cloud.store.find(network_id) if network_id else None
    spaces = network.properties["addressSpace"]["addressPrefixes"] if network else []
    table = cloud.store.find(id_of((find_part(cloud, subnet) or {}).get("properties", {}).get("routeTable")))
    own = [_route("User", route["properties"], route["name"]) for route in table.properties["routes"]] if table else []
    defaults = [(space, "VnetLocal") for space in spaces]
    defaults += [("0.0.0.0/0", "Internet"), *((prefix, "None") for prefix in _NOWHERE if prefix not in spaces)]
    taken = {route["addressPrefix"][0] for route in own}
    shown = [_route("Default", {"addressPrefix": prefix, "nextHopType": hop}) for prefix, hop in defaults]
    for route in shown:
        if route["addressPrefix"][0] in taken:
            route["state"] = "Invalid"
    return [*shown, *own]


def _route(source: str, properties: dict[str, Any], name: str = "") -> dict[str, Any]:
    hop = properties.get("nextHopIpAddress")
    return {
        **({"name": name} if name else {}),
        "source": source,
        "state": "Active",
        "addressPrefix": [properties["addressPrefix"]],
        "nextHopType": properties["nextHopType"],
        "nextHopIpAddress": [hop] if hop else [],
        "hasBgpOverride": False,
        "disableBgpRoutePropagation": False,
        "destinationServiceTags": [],
        "tagMap": {},
    }
