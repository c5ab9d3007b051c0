"""What a deployment would change: every resource that it creates, modifies, deletes or leaves as it is.

Source: Azure Resource Manager, "ARM template deployment what-if operation". A property that the template does not give
is taken as it is, since it is a default of the provider.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.locations import normalize_location
from verified_images.emulator.request_bodies import without_nulls
from verified_images.emulator.resource_manager.deployments.language.grammar import is_expression
from verified_images.emulator.resource_manager.deployments.language.sequences import find_key
from verified_images.emulator.resource_manager.deployments.nesting import nested_properties
from verified_images.emulator.resource_manager.deployments.plan import DEPLOYMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.resource_manager.deployments.plan import Planned
    from verified_images.emulator.resource_manager.deployments.preparation import Prepared
    from verified_images.emulator.store import Resource

_HEAD = ("apiVersion", "id", "type", "name")


def foresee(cloud: Cloud, prepared: Prepared, *, full: bool) -> list[dict[str, Any]]:
    """Give the changes that a deployment would make; ``full`` shows the resources before and after."""
    changes = [_change(cloud, planned, full=full) for planned in prepared.plan.deployed()]
    planned_ones = prepared.plan.resources
    group = ResourceId(prepared.deployment.subscription, prepared.deployment.group)
    for resource in cloud.store.select(under=group) if group.group else ():
        kind = cloud.kind_of(resource.id.type)
        if kind is not None and kind.tracked and resource.id.parent is None and resource.id.key not in planned_ones:
            change = "Delete" if prepared.mode == "Complete" else "Ignore"
            changes.append(_shown(str(resource.id), change, _before(resource, ""), None, full=full))
    return sorted(changes, key=lambda change: str(change["resourceId"]).lower())


def _change(cloud: Cloud, planned: Planned, *, full: bool) -> dict[str, Any]:
    after = _after(planned)
    try:
        found = cloud.store.find(ResourceId.parse(planned.id))
    except ValueError:
        found = None
    if planned.type.lower() == DEPLOYMENTS:
        return _shown(planned.id, "Deploy", None, after, full=full)
    if found is None:
        return _shown(planned.id, "Create", None, after, full=full)
    before = _before(found, planned.api_version)
    delta = list(_compare(before, after, ""))
    change = "Modify" if any(part["propertyChangeType"] != "NoEffect" for part in delta) else "NoChange"
    return _shown(planned.id, change, before, after, full=full) | ({"delta": delta} if full else {})


def _shown(
    identifier: str, change: str, before: dict[str, Any] | None, after: dict[str, Any] | None, *, full: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {"resourceId": identifier, "changeType": change}
    if full:
        shown |= {key: value for key, value in (("before", before), ("after", after)) if value is not None}
    return shown


def _after(planned: Planned) -> dict[str, Any]:
    scope = replace(planned.scope, lenient=True)
    body = planned.body(scope)
    if planned.type.lower() == DEPLOYMENTS:
        body["properties"] = nested_properties(planned, planned.scope, scope)
    if isinstance(location := body.get("location"), str):
        body["location"] = normalize_location(location)
    head = dict(zip(_HEAD, (planned.api_version, planned.id, planned.type, planned.name), strict=True))
    after: dict[str, Any] = without_nulls(head | {key: value for key, value in body.items() if key not in _HEAD})
    return after


def _before(resource: Resource, version: str) -> dict[str, Any]:
    head = {"apiVersion": version} if version else {}
    body = {key: value for key, value in resource.body.items() if key != "etag"}
    return head | {**body, "id": str(resource.id), "type": resource.id.type, "name": resource.id.path}


def _compare(before: Any, after: Any, path: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON values
    """Give the differences of what the template says; ids, names and enumerated words count in any case."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in after.items():
            known = find_key(before, key)
            place = f"{path}.{key}" if path else key
            if known is None:
                if value not in ({}, []):
                    yield {"path": place, "propertyChangeType": "Create", "after": value}
            elif key not in _HEAD:
                yield from _compare(before[known], value, place)
        if path == "tags":
            for key in before.keys() - after.keys():
                yield {"path": f"tags.{key}", "propertyChangeType": "Delete", "before": before[key]}
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_arrays(before, after, path)
    elif not _is_same(before, after):
        yield {"path": path, "propertyChangeType": "Modify", "before": before, "after": after}


def _compare_arrays(before: list[Any], after: list[Any], path: str) -> Iterator[dict[str, Any]]:
    children: list[dict[str, Any]] = []
    for index in range(max(len(before), len(after))):
        if index >= len(after):
            children.append({"path": str(index), "propertyChangeType": "Delete", "before": before[index]})
        elif index >= len(before):
            children.append({"path": str(index), "propertyChangeType": "Create", "after": after[index]})
        elif parts := list(_compare(before[index], after[index], "")):
            children.append({"path": str(index), "propertyChangeType": "Modify", "children": parts})
    if children:
        yield {"path": path, "propertyChangeType": "Array", "children": children}


def _is_same(before: Any, after: Any) -> bool:  # noqa: ANN401 - any JSON values
    if isinstance(after, str) and is_expression(after):
        return True
    if isinstance(before, str) or isinstance(after, str):
        return str(before).lower() == str(after).lower()
    return bool(before == after)
