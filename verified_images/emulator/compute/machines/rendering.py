"""How the wire shows a machine: in its api-version, its power state, and what was asked for. Source: recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.disks.unmanaged_disks import is_unmanaged, shown
from verified_images.emulator.compute.guest_agent.extensions import extensions_of
from verified_images.emulator.compute.machines.application_profiles import with_application_defaults
from verified_images.emulator.compute.machines.instance_view import instance_view
from verified_images.emulator.compute.machines.versions import as_of
from verified_images.emulator.compute.shown_since import with_agent_updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


def rendered(cloud: Cloud, machine: Resource, request: Request) -> dict[str, Any]:
    """Give a machine; ``$expand=instanceView`` and ``$expand=userData`` add to it, deallocation takes from it."""
    body = machine.body
    if machine.hidden.get("power") == "deallocated":
        body = _with_disks(body, _without_hardware)
    wanted = {part.strip().lower() for part in request.query.get("$expand", "").split(",")}
    more: dict[str, Any] = {}
    if "instanceview" in wanted or request.query.get("statusonly", "").lower() == "true":
        more["instanceView"] = instance_view(cloud, machine)
    if "userdata" in wanted and (data := (machine.hidden.get("secrets") or {}).get("userData")):
        more["userData"] = data
    if profile := body["properties"].get("osProfile"):
        more["osProfile"] = with_agent_updates(profile, request.api_version, machine.location)
    if more:
        body = {**body, "properties": {**body["properties"], **more}}
    if extensions := extensions_of(cloud, machine):
        body = {**body, "resources": [as_of(extension.body, request.api_version) for extension in extensions]}
    body = {**body, "properties": with_application_defaults(body["properties"])}
    return as_of(_with_disks(body, shown), request.api_version)


def _with_disks(body: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    profile = body["properties"]["storageProfile"]
    changed = {**profile, "osDisk": change(profile["osDisk"])}
    if "dataDisks" in profile:
        changed["dataDisks"] = [change(disk) for disk in profile["dataDisks"]]
    return {**body, "properties": {**body["properties"], "storageProfile": changed}}


def _without_hardware(disk: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the platform tells only of managed disks that are plugged in."""
    if is_unmanaged(disk):
        return disk
    shown = {key: value for key, value in disk.items() if key != "diskSizeGB"}
    managed = {key: value for key, value in disk.get("managedDisk", {}).items() if key != "storageAccountType"}
    return {**shown, "managedDisk": managed}


def without_unmade(body: dict[str, Any], machine: Resource) -> dict[str, Any]:
    """Give a machine as its creation first shows it: disks have no ids yet, nor made-up names."""
    unnamed = set(machine.hidden.get("unnamed") or [])
    os_disk = body["properties"]["storageProfile"]["osDisk"]
    if is_unmanaged(os_disk):
        sizeless = {key: os_disk[key] for key in os_disk if key != "diskSizeGB"}
        return _with_disks(body, lambda disk: sizeless if disk is os_disk else disk)
    if not unnamed:
        return body

    def change(disk: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in disk.items() if key != "name" or value not in unnamed}

    return _with_disks(body, change)
