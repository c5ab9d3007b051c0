"""The instances of a uniform scale set and their network cards. Source: recorded exchanges."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import boot_diagnostics, power, run_command
from verified_images.emulator.compute.disks import make_machine_disk
from verified_images.emulator.compute.guests import boot_guest, set_power
from verified_images.emulator.compute.image_references import resolve_image
from verified_images.emulator.compute.instance_view import instance_view
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import check_group_exists, set_state
from verified_images.emulator.network.addresses import allocate_address, new_mac
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
NIC_TYPE = TYPE + "/networkInterfaces"


def instance_routes(scale_set: str) -> Iterator[Route]:
    """Give the routes of a scale set's instances and cards under the pattern of the scale set."""
    instances = scale_set + "/virtualMachines"
    item = instances + "/{instance}"
    yield Route("GET", instances, _list)
    yield Route("GET", item, _get)
    yield Route("DELETE", item, _delete)
    yield Route("GET", item + "/instanceView", _get_instance_view)
    yield Route("GET", scale_set + "/networkInterfaces", _list_cards)
    yield Route("GET", item + "/networkInterfaces", _list_cards)
    yield Route("GET", item + "/networkInterfaces/{card}", _get_card)
    yield from power.routes(item, find_instance)
    yield from run_command.routes(item, find_instance)
    yield from boot_diagnostics.routes(item, find_instance)


def instances_of(cloud: Cloud, scale_set: Resource) -> list[Resource]:
    """Give the instances of a scale set, oldest first."""
    return sorted(cloud.store.select(TYPE, under=scale_set.id), key=lambda instance: int(instance.id.name))


def find_instance(cloud: Cloud, identifier: ResourceId) -> Resource:
    """Give an instance.

    Raises:
        ArmError: 404: the group, the scale set or the instance does not exist.
    """
    check_group_exists(cloud, identifier)
    parent = identifier.parent
    if parent is not None and cloud.store.find(parent) is None:
        raise arm_errors.resource_not_found(parent)
    instance = cloud.store.find(identifier)
    if instance is None:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return instance


def add_instances(cloud: Cloud, scale_set: Resource, count: int) -> None:
    """Make instances and boot them side by side.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    made = [_make_instance(cloud, scale_set) for _ in range(count)]
    failures: list[ArmError] = []
    threads = [
        threading.Thread(target=_boot, args=(cloud, instance, failures), name=f"boot {instance.id.name}", daemon=True)
        for instance in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _make_instance(cloud: Cloud, scale_set: Resource) -> Resource:
    with cloud.store.lock:
        kept = cloud.store.find(scale_set.id) or scale_set
        number = int(kept.hidden["next"])
        kept.hidden["next"] = number + 1
        cloud.store.put(kept)
        identifier = scale_set.id.child("virtualMachines", str(number))
        instance = Resource(identifier, _body(cloud, scale_set, identifier, number))
        instance.hidden = {
            "guest": instance.properties["vmId"],
            "secrets": scale_set.hidden["secrets"],
            "generation": scale_set.hidden["generation"],
            "power": "starting",
            "model": kept.hidden["model"],
        }
        cloud.store.put(instance)
        for card in _cards(cloud, scale_set, instance):
            cloud.store.put(card)
    return instance


def _body(cloud: Cloud, scale_set: Resource, identifier: ResourceId, number: int) -> dict[str, Any]:
    profile = scale_set.properties["virtualMachineProfile"]
    storage, os_profile = dict(profile["storageProfile"]), dict(profile["osProfile"])
    reference = storage["imageReference"]
    source = resolve_image(cloud, reference, scale_set.location)
    if source.exact_version:
        storage["imageReference"] = {**reference, "exactVersion": source.exact_version}
    disk_name = f"{scale_set.id.name[:20]}{scale_set.id.name[:20]}_OS__1_{uuid.uuid4().hex}"
    storage["osDisk"] = {**storage["osDisk"], "name": disk_name}
    prefix = os_profile.pop("computerNamePrefix")
    cards = profile["networkProfile"]["networkInterfaceConfigurations"]
    properties = {
        "latestModelApplied": True,
        "modelDefinitionApplied": "VirtualMachineScaleSet",
        "networkProfileConfiguration": {"networkInterfaceConfigurations": cards},
        "provisioningState": "Creating",
        "hardwareProfile": {"vmSize": scale_set.body["sku"]["name"]},
        "vmId": str(uuid.uuid4()),
        "storageProfile": storage,
        "osProfile": {"computerName": f"{prefix}{_base36(number)}", **os_profile},
        "networkProfile": {
            "networkInterfaces": [{"id": str(identifier.child("networkInterfaces", card["name"]))} for card in cards]
        },
        "timeCreated": datetime.now(UTC).isoformat(),
    }
    for key in ("diagnosticsProfile", "securityProfile"):
        if key in profile:
            properties[key] = profile[key]
    return {
        "name": f"{scale_set.id.name}_{number}",
        "id": str(identifier),
        "type": TYPE,
        "location": scale_set.location,
        **({"tags": scale_set.tags} if scale_set.tags else {}),
        "instanceId": str(number),
        "sku": {"name": scale_set.body["sku"]["name"], "tier": scale_set.body["sku"]["tier"]},
        "properties": properties,
    }


def _base36(number: int) -> str:
    """Write an instance's number as Azure does in host names: six digits to base 36."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text


def _cards(cloud: Cloud, scale_set: Resource, instance: Resource) -> Iterator[Resource]:
    profile = scale_set.properties["virtualMachineProfile"]["networkProfile"]
    for card in profile["networkInterfaceConfigurations"]:
        identifier = instance.id.child("networkInterfaces", card["name"])
        etag = f'W/"{uuid.uuid4()}"'
        given = card["properties"]
        properties = {
            "provisioningState": "Succeeded",
            "resourceGuid": str(uuid.uuid4()),
            "ipConfigurations": [
                _configuration(cloud, identifier, configuration, etag, instance)
                for configuration in given["ipConfigurations"]
            ],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "macAddress": new_mac(),
            "enableAcceleratedNetworking": given["enableAcceleratedNetworking"],
            "vnetEncryptionSupported": False,
            "enableIPForwarding": given["enableIPForwarding"],
            "disableTcpStateTracking": given["disableTcpStateTracking"],
            **({"networkSecurityGroup": given["networkSecurityGroup"]} if given.get("networkSecurityGroup") else {}),
            "primary": given.get("primary", False),
            "virtualMachine": {"id": str(instance.id)},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "allowPort25Out": True,
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
        }
        body = {
            "name": card["name"],
            "id": str(identifier),
            "etag": etag,
            "properties": properties,
            "type": NIC_TYPE,
            "location": scale_set.location,
            "kind": "Regular",
        }
        yield Resource(identifier, body)


def _configuration(
    cloud: Cloud, card: ResourceId, given: dict[str, Any], etag: str, instance: Resource
) -> dict[str, Any]:
    properties = dict(given["properties"])
    identifier = f"{card}/ipConfigurations/{given['name']}"
    pools = properties.pop("loadBalancerInboundNatPools", None) or []
    address = allocate_address(cloud, properties["subnet"]["id"], owner=identifier)
    filled = {
        "provisioningState": "Succeeded",
        "privateIPAddress": address,
        "privateIPAllocationMethod": "Dynamic",
        "subnet": properties["subnet"],
        "primary": properties.get("primary", True),
        "privateIPAddressVersion": "IPv4",
    }
    if backends := properties.get("loadBalancerBackendAddressPools"):
        filled["loadBalancerBackendAddressPools"] = backends
    if pools:
        filled["loadBalancerInboundNatRules"] = [
            {"id": pool["id"].replace("/inboundNatPools/", "/inboundNatRules/") + f".{instance.id.name}"}
            for pool in pools
        ]
    return {"name": given["name"], "id": identifier, "etag": etag, "properties": filled}


def _boot(cloud: Cloud, instance: Resource, failures: list[ArmError]) -> None:
    try:
        _make_disk(cloud, instance)
        set_power(cloud, instance, "running")
        boot_guest(cloud, instance, nic=power.primary_interface(cloud, instance))
        set_state(cloud, instance.id, "Succeeded")
    except ArmError as error:
        failures.append(error)
        set_state(cloud, instance.id, "Failed")
    except HypervisorError as error:
        failures.append(ArmError(409, "InternalExecutionError", str(error)))
        set_state(cloud, instance.id, "Failed")


def _make_disk(cloud: Cloud, instance: Resource) -> None:
    storage = instance.properties["storageProfile"]
    source = resolve_image(cloud, storage["imageReference"], instance.location)
    disk = storage["osDisk"]
    identifier = ResourceId(
        instance.id.subscription, instance.id.group, "Microsoft.Compute", ("disks",), (disk["name"],)
    )
    made = make_machine_disk(
        cloud,
        identifier,
        instance.location,
        owner=instance.id,
        base=source.open_disk(),
        size_gb=disk["diskSizeGB"],
        sku=disk["managedDisk"]["storageAccountType"],
        properties={"osType": source.os_type, "hyperVGeneration": source.generation},
        tags=instance.tags,
    )
    with cloud.store.lock:
        if found := cloud.store.find(instance.id):
            found.properties["storageProfile"]["osDisk"]["managedDisk"]["id"] = str(made.id)
            cloud.store.put(found)
    disk["managedDisk"]["id"] = str(made.id)


def remove_instances(cloud: Cloud, instances: list[Resource]) -> None:
    """Stop instances and delete them with their disks and cards."""
    for instance in instances:
        set_state(cloud, instance.id, "Deleting")
    for instance in instances:
        cloud.hypervisor.forget(instance.hidden["guest"])
        disk_id = instance.properties["storageProfile"]["osDisk"]["managedDisk"].get("id")
        disk = cloud.store.find(disk_id) if disk_id else None
        kind = cloud.kind_of("Microsoft.Compute/disks")
        if disk and kind:
            kind.remove(cloud, disk)
        with cloud.store.lock:
            for child in cloud.store.select(under=instance.id):
                cloud.store.remove(child.id)
            cloud.store.remove(instance.id)


def _scale_set_of(cloud: Cloud, request: Request) -> Resource:
    identifier = ResourceId(
        request.parameters["subscription"],
        request.parameters["group"],
        "Microsoft.Compute",
        ("virtualMachineScaleSets",),
        (request.parameters["name"],),
    )
    check_group_exists(cloud, identifier)
    scale_set = cloud.store.find(identifier)
    if scale_set is None:
        raise arm_errors.resource_not_found(identifier)
    return scale_set


def _render(cloud: Cloud, instance: Resource, request: Request) -> dict[str, Any]:
    scale_set = cloud.store.find(instance.id.parent) if instance.id.parent else None
    latest = scale_set is None or scale_set.hidden["model"] == instance.hidden["model"]
    properties = {**instance.properties, "latestModelApplied": latest}
    if request.query.get("$expand", "").lower() == "instanceview":
        properties["instanceView"] = instance_view(cloud, instance)
    return {**instance.body, "properties": properties}


def _list(cloud: Cloud, request: Request) -> Answer:
    scale_set = _scale_set_of(cloud, request)
    return page(cloud, request, [_render(cloud, instance, request) for instance in instances_of(cloud, scale_set)])


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _render(cloud, find_instance(cloud, request.id), request))


def _get_instance_view(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, instance_view(cloud, find_instance(cloud, request.id)))


def _delete(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        instance, scale_set = find_instance(cloud, request.id), _scale_set_of(cloud, request)
        scale_set.body["sku"]["capacity"] = int(scale_set.body["sku"]["capacity"]) - 1
        cloud.store.put(scale_set)
    started = cloud.operations.start(
        request,
        f"{TYPE}/delete",
        instance.location,
        lambda: remove_instances(cloud, [instance]),
        track=COMPUTE,
        slow=True,
    )
    return Answer(202, None, started.status_header | started.location_header)


def _list_cards(cloud: Cloud, request: Request) -> Answer:
    scale_set = _scale_set_of(cloud, request)
    under = scale_set.id
    if number := request.parameters.get("instance"):
        under = find_instance(cloud, scale_set.id.child("virtualMachines", number)).id
    return page(cloud, request, [card.body for card in cloud.store.select(NIC_TYPE, under=under)])


def _get_card(cloud: Cloud, request: Request) -> Answer:
    card = cloud.store.find(request.id)
    if card is None:
        raise ArmError(404, "NotFound", f"Resource {request.id} not found.", details=[])
    return Answer(200, card.body)
