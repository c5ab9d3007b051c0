"""Moves of resources to another group of the subscription. Source: recorded moves; Azure, "Move resources"."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import check_group
from verified_images.emulator.resource_manager.jobs import MOVE, start_job
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Answer, Request

_TOGETHER = {
    "microsoft.compute/virtualmachines",
    "microsoft.compute/disks",
    "microsoft.network/networkinterfaces",
}


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("POST", GROUP + "/moveResources", _move)
    yield Route("POST", GROUP + "/validateMoveResources", _validate)


def _move(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        resources, target = _read(cloud, request)
        if not cloud.store.find(target.id):
            raise arm_errors.group_not_found(target.id.group)
    work = lambda: _carry_over(cloud, [resource.id for resource in resources], target.id)  # noqa: E731 - what to do
    return _begin(cloud, request, work, "moveResources", target.location)


def _validate(cloud: Cloud, request: Request) -> Answer:
    _, target = _read(cloud, request)
    return _begin(cloud, request, lambda: None, "validateMoveResources", target.location)


def _begin(cloud: Cloud, request: Request, work: Any, verb: str, location: str) -> Answer:  # noqa: ANN401 - what to do
    name = f"Microsoft.Resources/subscriptions/resourceGroups/{verb}/action"
    return start_job(cloud, request, MOVE, work, name=name, location=location, slow=False)


def _read(cloud: Cloud, request: Request) -> tuple[list[Resource], Resource]:
    """Give the resources to be moved and their new group. Refuse with ArmError what cannot be moved."""
    source = request.id.group_id
    check_group(cloud, source)
    body = request.json()
    names, target_name = body.get("resources"), body.get("targetResourceGroup")
    if not isinstance(names, list) or not names or not isinstance(target_name, str):
        raise ArmError(
            400, "InvalidMoveResourcesRequest", "The move request needs 'resources' and 'targetResourceGroup'."
        )
    target = cloud.store.find(target_name)
    if target is None or target.id.provider:
        raise arm_errors.group_not_found(target_name.rpartition("/")[2])
    check_group(cloud, target.id)
    if target.id.key == source.key:
        raise ArmError(
            400, "InvalidMoveResourcesRequest", "The source and the target of a move are the same resource group."
        )
    resources = [_find(cloud, source, str(name)) for name in names]
    _check_complete(cloud, resources)
    for resource in resources:
        twin = _moved_id(resource.id, target.id)
        if cloud.store.find(twin):
            raise ArmError(
                409, "ResourceMoveFailed", f"The resource '{twin}' exists in the target resource group already."
            )
    return resources, target


def _find(cloud: Cloud, group: ResourceId, text: str) -> Resource:
    try:
        identifier = ResourceId.parse(text)
    except ValueError as error:
        raise ArmError(400, "InvalidResourceId", f"The resource id '{text}' is not valid.") from error
    found = cloud.store.find(identifier)
    if found is None or identifier.group_id.key != group.key:
        raise arm_errors.resource_not_found(identifier)
    if identifier.parent is not None:
        raise ArmError(
            400, "ResourceMoveNotSupported", f"The resource '{text}' is a child; move its top-level resource instead."
        )
    if found.state not in {"Succeeded", "Failed"}:
        raise ArmError(
            409,
            "ResourceMoveFailed",
            f"The resource '{text}' cannot be moved while it is being changed ({found.state}).",
        )
    return found


def _check_complete(cloud: Cloud, resources: list[Resource]) -> None:
    """Refuse to tear apart a machine and what it is made of."""
    moved = {resource.id.key for resource in resources}
    missing: set[str] = set()
    for resource in resources:
        if resource.id.type.lower() not in _TOGETHER:
            continue
        others = [*cloud.store.referrers(resource.id), *cloud.store.references(resource.id)]
        missing |= {
            str(other.id)
            for other in others
            if other.id.type.lower() in _TOGETHER
            and other.id.group_id.key == resource.id.group_id.key
            and other.id.key not in moved
        }
    if missing:
        raise ArmError(
            409,
            "MissingMoveDependentResources",
            "The move resources request does not contain all the dependent resources. Please check details for missing "
            "resource ids.",
            details=[
                {"code": "MissingMoveDependentResources", "target": name, "message": name} for name in sorted(missing)
            ],
        )


def _moved_id(resource: ResourceId, group: ResourceId) -> ResourceId:
    return ResourceId(group.subscription, group.group, resource.provider, resource.types, resource.names)


def _carry_over(cloud: Cloud, resources: list[ResourceId], group: ResourceId) -> None:
    """Give resources and their children new ids, here and wherever they are named."""
    with cloud.store.lock:
        for old in resources:
            new = _moved_id(old, group)
            for resource in (cloud.store.find(old), *cloud.store.select(under=old)):
                if resource:
                    cloud.store.remove(resource.id)
                    cloud.store.put(
                        Resource(
                            _moved_id(resource.id, group),
                            _renamed(resource.body, old, new),
                            _renamed(resource.hidden, old, new),
                        )
                    )
            for other in cloud.store.select():
                other.body, other.hidden = _renamed(other.body, old, new), _renamed(other.hidden, old, new)
                cloud.store.put(other)


def _renamed(content: dict[str, Any], old: ResourceId, new: ResourceId) -> dict[str, Any]:
    pattern = re.compile(re.escape(str(old)) + r'(?=["/])', re.IGNORECASE)
    renamed: dict[str, Any] = json.loads(pattern.sub(lambda _: str(new), json.dumps(content)))
    return renamed
