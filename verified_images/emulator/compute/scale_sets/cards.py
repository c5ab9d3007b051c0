"""The network cards of a scale set's instances, and their public addresses. Source: recorded exchanges."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.addresses import allocate_address, allocate_public_address, new_mac
from verified_images.emulator.network.interfaces import internal_suffix
from verified_images.emulator.network.lookup import pick
from verified_images.emulator.network.references import INSTANCE_INTERFACE, INSTANCE_PUBLIC_ADDRESS
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Handler

    Finder = Callable[[Cloud, Request], Resource]


def routes(scale_set: str, find_scale_set: Finder, find_instance: Finder) -> Iterator[Route]:
    """Give the routes of cards and addresses under the pattern of a scale set; the finders refuse with 404."""
    card = scale_set + "/virtualMachines/{instance}/networkInterfaces"
    configuration = card + "/{card}/ipConfigurations/{configuration}/publicIPAddresses"
    yield Route("GET", scale_set + "/networkInterfaces", _listing(INSTANCE_INTERFACE, find_scale_set))
    yield Route("GET", card, _listing(INSTANCE_INTERFACE, find_instance))
    yield Route("GET", card + "/{card}", _get)
    yield Route("GET", card + "/{card}/ipConfigurations", _list_configurations)
    yield Route("GET", card + "/{card}/ipConfigurations/{configuration}", _get_configuration)
    yield Route("GET", scale_set + "/publicIPAddresses", _listing(INSTANCE_PUBLIC_ADDRESS, find_scale_set))
    yield Route("GET", configuration, _listing_under_configuration)
    yield Route("GET", configuration + "/{address}", _get)


def _listing(kind: str, find: Finder) -> Handler:
    def answer(cloud: Cloud, request: Request) -> Answer:
        under = find(cloud, request).id
        return page(cloud, request, [_shown(found) for found in cloud.store.select(kind, under=under)])

    return answer


def _listing_under_configuration(cloud: Cloud, request: Request) -> Answer:
    found = cloud.store.select(INSTANCE_PUBLIC_ADDRESS, under=request.id)
    return page(cloud, request, [_shown(address) for address in found])


def _list_configurations(cloud: Cloud, request: Request) -> Answer:
    card = _find(cloud, request.id)
    return page(cloud, request, card.properties["ipConfigurations"])


def _get_configuration(cloud: Cloud, request: Request) -> Answer:
    parent = request.id.parent
    card = _find(cloud, parent) if parent else None
    found = pick(card.properties["ipConfigurations"], request.id.name) if card else None
    if found is None:
        raise _not_found(request.id)
    return Answer(200, found)


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _shown(_find(cloud, request.id)))


def _find(cloud: Cloud, identifier: ResourceId) -> Resource:
    found = cloud.store.find(identifier)
    if found is None:
        raise _not_found(identifier)
    return found


def _not_found(identifier: ResourceId) -> ArmError:
    return ArmError(404, "NotFound", f"Resource {identifier} not found.", details=[])


def _shown(resource: Resource) -> dict[str, Any]:
    return {key: value for key, value in resource.body.items() if key != "type"}


def make_cards(cloud: Cloud, scale_set: Resource, instance: Resource) -> Iterator[Resource]:
    """Give the network cards of a new instance, and their public addresses.

    Each is to be stored before the next is asked for, since that takes its addresses.
    """
    profile = scale_set.properties["virtualMachineProfile"]["networkProfile"]
    for card in profile["networkInterfaceConfigurations"]:
        identifier = instance.id.child("networkInterfaces", card["name"])
        etag = f'W/"{uuid.uuid4()}"'
        given = card["properties"]
        configurations: list[dict[str, Any]] = []
        for configuration in given["ipConfigurations"]:
            taken = [each["properties"]["privateIPAddress"] for each in configurations]
            configurations.append(_configuration(cloud, identifier, configuration, instance, taken))
            configurations[-1]["etag"] = etag
        properties = {
            "provisioningState": "Succeeded",
            "resourceGuid": str(uuid.uuid4()),
            "ipConfigurations": configurations,
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": internal_suffix(scale_set.id.group_id),
            },
            "macAddress": new_mac(),
            "enableAcceleratedNetworking": given.get("enableAcceleratedNetworking", False),
            "vnetEncryptionSupported": False,
            "enableIPForwarding": given.get("enableIPForwarding", False),
            "disableTcpStateTracking": given.get("disableTcpStateTracking", False),
            **({"networkSecurityGroup": given["networkSecurityGroup"]} if given.get("networkSecurityGroup") else {}),
            "primary": given.get("primary", False),
            "virtualMachine": {"id": str(instance.id)},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "enableFpga": False,
            "allowPort25Out": True,
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
        }
        body = {
            "name": card["name"],
            "id": str(identifier),
            "etag": etag,
            "properties": properties,
            "type": INSTANCE_INTERFACE,
            "location": scale_set.location,
            "kind": "Regular",
        }
        yield Resource(identifier, body)
        for configuration, model in zip(configurations, given["ipConfigurations"], strict=True):
            if wanted := model["properties"].get("publicIPAddressConfiguration"):
                yield _public_address(cloud, scale_set, instance, configuration["id"], wanted)


def _configuration(
    cloud: Cloud, card: ResourceId, given: dict[str, Any], instance: Resource, taken: list[str]
) -> dict[str, Any]:
    properties = given["properties"]
    identifier = f"{card}/ipConfigurations/{given['name']}"
    filled = {
        "provisioningState": "Succeeded",
        "privateIPAddress": allocate_address(cloud, properties["subnet"]["id"], owner=identifier, besides=taken),
        "privateIPAllocationMethod": "Dynamic",
        "subnet": properties["subnet"],
        "primary": properties.get("primary", True),
        "privateIPAddressVersion": "IPv4",
    }
    if wanted := properties.get("publicIPAddressConfiguration"):
        filled["publicIPAddress"] = {"id": f"{identifier}/publicIPAddresses/{wanted['name']}"}
    if backends := properties.get("loadBalancerBackendAddressPools"):
        filled["loadBalancerBackendAddressPools"] = backends
    if pools := properties.get("loadBalancerInboundNatPools"):
        filled["loadBalancerInboundNatRules"] = [
            {"id": pool["id"].replace("/inboundNatPools/", "/inboundNatRules/") + f".{instance.id.name}"}
            for pool in pools
        ]
    return {"name": given["name"], "id": identifier, "properties": filled}


def _public_address(
    cloud: Cloud, scale_set: Resource, instance: Resource, configuration: str, wanted: dict[str, Any]
) -> Resource:
    identifier = ResourceId.parse(f"{configuration}/publicIPAddresses/{wanted['name']}")
    given = wanted.get("properties") or {}
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "resourceGuid": str(uuid.uuid4()),
        "ipAddress": allocate_public_address(cloud),
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": given.get("idleTimeoutInMinutes", 4),
    }
    if label := (given.get("dnsSettings") or {}).get("domainNameLabel"):
        label = f"vm{instance.id.name}.{label}"
        fqdn = f"{label}.{scale_set.location}.cloudapp.azure.com"
        properties["dnsSettings"] = {"domainNameLabel": label, "fqdn": fqdn}
    properties |= {"ipTags": given.get("ipTags") or [], "ipConfiguration": {"id": configuration}}
    body = {
        "name": identifier.name,
        "id": str(identifier),
        "etag": f'W/"{uuid.uuid4()}"',
        "properties": properties,
        "sku": {"name": (wanted.get("sku") or {}).get("name", "Standard")},
    }
    return Resource(identifier, body)
