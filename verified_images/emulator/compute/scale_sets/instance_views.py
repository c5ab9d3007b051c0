"""How a scale set's instances show themselves, alone and in lists. Source: recorded answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines.instance_view import instance_view
from verified_images.emulator.compute.scale_sets.extensions import shown_on_instance
from verified_images.emulator.compute.scale_sets.health import health_of, health_status, watches_health
from verified_images.emulator.compute.scale_sets.instances import instances_of
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.uniform_instances import TYPE
from verified_images.emulator.compute.scale_sets.upgrades import is_latest
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.compute.shown_since import INSTANCES, as_of, with_agent_updates
from verified_images.emulator.paging import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

_FAULT_DOMAINS = 5
_TERM = re.compile(r"(?P<path>[A-Za-z/]+)\s+(?P<operator>eq|ne)\s+(?P<value>'[^']*'|true|false)", re.IGNORECASE)
_STARTS = re.compile(r"startswith\((?P<path>[A-Za-z/]+),\s*'(?P<value>[^']*)'\)(?:\s+eq\s+true)?", re.IGNORECASE)


def shown_instance(cloud: Cloud, scale_set: Resource, instance: Resource, request: Request) -> dict[str, Any]:
    """Give an instance's body as an api-version shows it; a machine of a flexible scale set is only named."""
    if is_flexible(scale_set):
        return _named(scale_set, instance)
    expand = request.query.get("$expand", "").lower()
    properties = {"latestModelApplied": is_latest(scale_set, instance), **instance.properties}
    if instance.hidden.get("own_model"):
        properties["modelDefinitionApplied"] = "VirtualMachine"
    properties["resilientVMDeletionStatus"] = "Disabled"
    if profile := properties.get("osProfile"):
        windows = ("windowsConfiguration",)  # of Linux, the scale set alone tells
        properties["osProfile"] = with_agent_updates(profile, request.api_version, scale_set.location, windows)
    if expand == "instanceview":
        properties["instanceView"] = instance_view_of(cloud, scale_set, instance)
    if expand == "userdata" and (user_data := instance.hidden.get("secrets", {}).get("userData")):
        properties["userData"] = user_data
    resources = shown_on_instance(cloud, instance)
    body = {**instance.body, "properties": properties, **({"resources": resources} if resources else {})}
    return as_of(body, request.api_version, INSTANCES)


def _named(scale_set: Resource, machine: Resource) -> dict[str, Any]:
    return {
        "name": machine.id.name,
        "id": str(scale_set.id.child("virtualMachines", machine.id.name)),
        "type": TYPE,
        "location": machine.location,
        "instanceId": machine.id.name,
        # Recorded: a list of one null where there are no zones.
        "zones": machine.body.get("zones") or [None],
    }


def instance_view_of(cloud: Cloud, scale_set: Resource, instance: Resource) -> dict[str, Any]:
    """Give the instance view of an instance, with where it is placed and how it is."""
    view = instance_view(cloud, instance)
    if is_flexible(scale_set):
        return view
    domains = int(scale_set.properties.get("platformFaultDomainCount") or _FAULT_DOMAINS)
    number = int(instance.id.name)
    placed = {
        "placementGroupId": scale_set.hidden.get("placement_group", ""),
        "platformUpdateDomain": number % _FAULT_DOMAINS,
        "platformFaultDomain": number % domains,
    }
    if watches_health(scale_set):
        placed["vmHealth"] = health_status(health_of(cloud, scale_set, instance))
    return {**placed, **{key: value for key, value in view.items() if key not in placed}}


def list_instances(cloud: Cloud, request: Request) -> Answer:
    """List a scale set's instances: those that ``$filter`` leaves, with what ``$expand`` and ``$select`` ask for."""
    scale_set = scale_set_of(cloud, request)
    found = [shown_instance(cloud, scale_set, each, request) for each in instances_of(cloud, scale_set)]
    if text := request.query.get("$filter"):
        keep = _filter(text)
        found = [each for each in found if keep(each)]
    if names := request.query.get("$select"):
        wanted = {name.strip().lower().split("/")[-1] for name in names.split(",")}
        found = [_selected(each, wanted) for each in found]
    return page(cloud, request, found)


def _selected(body: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    properties = {key: value for key, value in body.get("properties", {}).items() if key.lower() in wanted}
    always = {key: value for key, value in body.items() if key in {"name", "id", "type", "location", "instanceId"}}
    rest = {key: value for key, value in body.items() if key.lower() in wanted and key != "properties"}
    return {**always, **rest, **({"properties": properties} if properties else {})}


def _filter(text: str) -> Callable[[dict[str, Any]], bool]:
    """Read a filter of OData: comparisons and ``startswith``, joined by ``and``."""
    checks = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        if match := _TERM.fullmatch(part.strip()):
            value = match["value"].strip("'").lower()
            checks.append(_comparison(match["path"], value, negated=match["operator"].lower() == "ne"))
        elif match := _STARTS.fullmatch(part.strip()):
            checks.append(_prefix(match["path"], match["value"].lower()))
        else:
            raise ArmError(400, "InvalidParameter", f"The filter '{text}' is invalid.", target="$filter")
    return lambda body: all(check(body) for check in checks)


def _comparison(path: str, value: str, *, negated: bool) -> Callable[[dict[str, Any]], bool]:
    return lambda body: (value in _values(body, path)) != negated


def _prefix(path: str, value: str) -> Callable[[dict[str, Any]], bool]:
    return lambda body: any(found.startswith(value) for found in _values(body, path))


def _values(body: dict[str, Any], path: str) -> list[str]:
    """Give what stands at a path like ``instanceView/statuses/code``, of each item where there is a list."""
    found: list[Any] = [body, body.get("properties") or {}]
    for name in path.split("/"):
        following: list[Any] = []
        for value in found:
            items = value if isinstance(value, list) else [value]
            for item in items:
                if isinstance(item, dict):
                    following += [child for key, child in item.items() if key.lower() == name.lower()]
        found = following
    flat = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [str(value).lower() for value in flat]
