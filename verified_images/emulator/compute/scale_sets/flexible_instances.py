"""The instances of a flexible scale set: virtual machines with cards and disks of their own in its group.

Source: recorded exchanges of the azure CLI (``<scale set>_<8 hexadecimal digits>``, ``<card>-<8 digits>``).
"""

from __future__ import annotations

import functools
import secrets
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.images.references import resolve_image
from verified_images.emulator.compute.machines.side_by_side import together
from verified_images.emulator.compute.scale_sets.extensions import run_extensions
from verified_images.emulator.compute.scale_sets.membership import members
from verified_images.emulator.compute.scale_sets.uniform_instances import base36
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.network.references import INTERFACE, PUBLIC_ADDRESS

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.store import Resource

MACHINE = "Microsoft.Compute/virtualMachines"
_PASSED_ON = (
    "diagnosticsProfile",
    "securityProfile",
    "priority",
    "evictionPolicy",
    "billingProfile",
    "licenseType",
    "scheduledEventsProfile",
)
_OF_CONFIGURATION = ("primary", "subnet", "privateIPAddressVersion", "loadBalancerBackendAddressPools")
_OF_CARD = ("networkSecurityGroup", "enableAcceleratedNetworking", "enableIPForwarding", "disableTcpStateTracking")


def add_flexible(cloud: Cloud, scale_set: Resource, count: int) -> None:
    """Make virtual machines side by side.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    zones = _zones_for(cloud, scale_set, count)
    together([functools.partial(_make_machine, cloud, scale_set.id, zone) for zone in zones])


def _zones_for(cloud: Cloud, scale_set: Resource, count: int) -> list[str | None]:
    zones = [str(zone) for zone in scale_set.body.get("zones") or []]
    if not zones:
        return [None] * count
    taken = [machine.body["zones"][0] for machine in members(cloud, scale_set) if machine.body.get("zones")]
    chosen: list[str | None] = []
    for _ in range(count):
        zone = min(zones, key=[*taken, *chosen].count)
        chosen.append(zone)
    return chosen


def _make_machine(cloud: Cloud, scale_set_id: ResourceId, zone: str | None) -> None:
    scale_set = check_wanted(cloud, scale_set_id)
    name = f"{scale_set.id.name}_{secrets.token_hex(4)}"
    cards: list[Resource] = []
    try:
        for card in scale_set.properties["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"]:
            cards.append(_make_card(cloud, scale_set, card))  # noqa: PERF401 - those made go when one fails
        body = _machine_body(scale_set, cards)
        if zone:
            body["zones"] = [zone]
        identifier = ResourceId(
            scale_set.id.subscription, scale_set.id.group, "Microsoft.Compute", *_one(MACHINE, name)
        )
        model = scale_set.hidden["model"]
        made = _kind(cloud, MACHINE).make(cloud, identifier, body, made_by_scale_set=True, model=model)
        run_extensions(cloud, scale_set, made)
    except ArmError:
        for card in cards:
            # A machine that was refused has no cards, one that failed keeps them.
            if (found := cloud.store.find(card.id)) and not found.properties.get("virtualMachine"):
                _kind(cloud, INTERFACE).remove(cloud, found)
        raise


def _one(kind: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (kind.split("/")[1],), (name,)


def _kind(cloud: Cloud, name: str) -> Kind:
    return cloud.kinds[name.lower()]


def _make_card(cloud: Cloud, scale_set: Resource, card: dict[str, Any]) -> Resource:
    suffix, given = secrets.token_hex(4), card["properties"]
    identifier = ResourceId(
        scale_set.id.subscription, scale_set.id.group, "Microsoft.Network", *_one(INTERFACE, f"{card['name']}-{suffix}")
    )
    addresses: list[Resource] = []
    configurations = []
    for configuration in given["ipConfigurations"]:
        model = configuration["properties"]
        properties = {key: model[key] for key in _OF_CONFIGURATION if model.get(key)}
        if wanted := model.get("publicIPAddressConfiguration"):
            addresses.append(_make_address(cloud, scale_set, wanted, suffix))
            properties["publicIPAddress"] = {"id": str(addresses[-1].id)}
        configurations.append({"name": configuration["name"], "properties": properties})
    servers = (given.get("dnsSettings") or {}).get("dnsServers") or []
    properties = {
        "ipConfigurations": configurations,
        **{key: given[key] for key in _OF_CARD if given.get(key)},
        **({"dnsSettings": {"dnsServers": servers}} if servers else {}),
    }
    body = {"location": scale_set.location, "properties": properties}
    delete_with = [str(address.id) for address in addresses]
    try:
        return _kind(cloud, INTERFACE).make(cloud, identifier, body, deleted_along=delete_with)
    except ArmError:
        for address in addresses:
            _kind(cloud, PUBLIC_ADDRESS).remove(cloud, address)
        raise


def _make_address(cloud: Cloud, scale_set: Resource, wanted: dict[str, Any], suffix: str) -> Resource:
    identifier = ResourceId(
        scale_set.id.subscription,
        scale_set.id.group,
        "Microsoft.Network",
        *_one(PUBLIC_ADDRESS, f"{wanted['name']}-{suffix}"),
    )
    given = wanted.get("properties") or {}
    properties: dict[str, Any] = {
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": given.get("idleTimeoutInMinutes", 4),
    }
    if label := (given.get("dnsSettings") or {}).get("domainNameLabel"):
        properties["dnsSettings"] = {"domainNameLabel": f"{label}-{suffix}"}
    body = {"location": scale_set.location, "sku": {"name": "Standard"}, "properties": properties}
    return _kind(cloud, PUBLIC_ADDRESS).make(cloud, identifier, body)


def _machine_body(scale_set: Resource, cards: list[Resource]) -> dict[str, Any]:
    profile, kept = scale_set.properties["virtualMachineProfile"], scale_set.hidden.get("secrets", {})
    models = profile["networkProfile"]["networkInterfaceConfigurations"]
    properties: dict[str, Any] = {
        "hardwareProfile": {**(profile.get("hardwareProfile") or {}), "vmSize": scale_set.body["sku"]["name"]},
        "virtualMachineScaleSet": {"id": str(scale_set.id)},
        "storageProfile": {key: value for key, value in profile["storageProfile"].items() if value},
        "networkProfile": {
            "networkInterfaces": [
                {
                    "id": str(card.id),
                    "properties": {
                        "primary": model["properties"].get("primary", True),
                        "deleteOption": model["properties"].get("deleteOption", "Delete"),
                    },
                }
                for card, model in zip(cards, models, strict=True)
            ]
        },
        **{key: profile[key] for key in _PASSED_ON if key in profile},
    }
    if given := profile.get("osProfile"):
        more = {key: kept[key] for key in ("adminPassword", "customData") if key in kept}
        properties["osProfile"] = {**os_profile(given), **more}
    if kept.get("userData"):
        properties["userData"] = kept["userData"]
    return {
        "location": scale_set.location,
        "tags": {**scale_set.tags, "VirtualMachineProfileTimeCreated": _american(profile.get("timeCreated"))},
        **{key: scale_set.body[key] for key in ("identity", "plan") if scale_set.body.get(key)},
        "properties": properties,
    }


def os_profile(model: dict[str, Any]) -> dict[str, Any]:
    """Give the osProfile of a new machine: the model's with a host name of its prefix and six random digits."""
    rest = {key: value for key, value in model.items() if key not in {"computerNamePrefix", "computerName"}}
    return {"computerName": f"{model['computerNamePrefix']}{base36(secrets.randbelow(36**6))}", **rest}


def _american(time: str | None) -> str:
    """Write a time as the recorded tag has it, ``8/26/2024 9:42:41 AM +00:00``."""
    moment = datetime.fromisoformat(time) if time else datetime.now(UTC)
    hour = moment.strftime("%I").lstrip("0")
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M:%S %p} +00:00"


def flexible_model(cloud: Cloud, scale_set: Resource, machine: Resource) -> dict[str, Any]:
    """Give the body that a machine gets from its scale set's latest model; its cards and its name stay."""
    profile = scale_set.properties["virtualMachineProfile"]
    storage = dict(profile["storageProfile"])
    source = resolve_image(cloud, storage["imageReference"], scale_set.location)
    if source.exact_version:
        storage["imageReference"] = {**storage["imageReference"], "exactVersion": source.exact_version}
    name = f"{machine.id.name}_disk1_{uuid.uuid4().hex}"
    old = machine.properties
    storage["osDisk"] = {"deleteOption": "Delete", **storage["osDisk"], "name": name}
    storage["dataDisks"] = old["storageProfile"].get("dataDisks") or []
    properties = {
        **old,
        "hardwareProfile": {**old["hardwareProfile"], "vmSize": scale_set.body["sku"]["name"]},
        "storageProfile": storage,
        **{key: profile[key] for key in ("diagnosticsProfile", "securityProfile") if key in profile},
    }
    if profile.get("osProfile"):
        kept = {"computerName": old["osProfile"]["computerName"]} if old.get("osProfile") else {}
        properties["osProfile"] = {**os_profile(profile["osProfile"]), **kept}
    return {**machine.body, "properties": properties}


def remove_flexible(cloud: Cloud, machines: list[Resource]) -> None:
    """Delete virtual machines on behalf of their scale set, with what their deleteOptions say."""
    for machine in machines:
        with cloud.store.changing(machine.id) as found:
            if found:
                found.hidden["removed_by_scale_set"] = True
    kind = _kind(cloud, MACHINE)
    together([functools.partial(_remove, cloud, kind, machine.id) for machine in machines])


def _remove(cloud: Cloud, kind: Kind, machine: ResourceId) -> None:
    if found := cloud.store.find(machine):
        kind.remove(cloud, found)
