"""Resource groups. Deleting one deletes what is in it, in an order that the dependencies allow."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, group_being_deleted, group_not_found
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import set_state
from verified_images.emulator.locations import check_location
from verified_images.emulator.operations import Track
from verified_images.emulator.paging import page
from verified_images.emulator.resource_manager.filters import matches_filter
from verified_images.emulator.resource_manager.jobs import job_url
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Resources/resourceGroups"
_NAME = re.compile(r"[-\w.()]{0,89}[-\w()]")
_TRACK = Track("Microsoft.Resources")


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/resourceGroups", _list)
    yield Route("PUT", GROUP, _put)
    yield Route("PATCH", GROUP, _patch)
    yield Route("GET", GROUP, _get)
    yield Route("HEAD", GROUP, _head)
    yield Route("DELETE", GROUP, _delete)


def _list(cloud: Cloud, request: Request) -> Answer:
    groups = [group for group in cloud.store.select(TYPE) if matches_filter(group, request.query.get("$filter"))]
    return page(cloud, request, [group.body for group in groups])


def _put(cloud: Cloud, request: Request) -> Answer:
    identifier, body = request.id, request.json()
    if not _NAME.fullmatch(identifier.group):
        raise ArmError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{identifier.group}' has these invalid characters or a wrong length: it "
            "can only contain alphanumeric characters, '-', '_', '.', '(' and ')', must not end with '.', and has at "
            "most 90 characters.",
        )
    with cloud.store.lock:
        existing = cloud.store.find(identifier)
        if existing and existing.state == "Deleting":
            raise group_being_deleted(identifier.group)
        check_location(TYPE, body, existing)
        group = existing or Resource(identifier, {})
        group.body = {
            "id": str(group.id),
            "name": group.id.group,
            "type": TYPE,
            "location": body["location"],
            **({"tags": body["tags"]} if body.get("tags") is not None else {}),
            **({"managedBy": body["managedBy"]} if body.get("managedBy") else {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        cloud.store.put(group)
    return Answer(200 if existing else 201, group.body)


def _patch(cloud: Cloud, request: Request) -> Answer:
    body = request.json()
    with cloud.store.lock:
        group = _find(cloud, request)
        if "tags" in body:
            group.body["tags"] = body["tags"] or {}
        cloud.store.put(group)
    return Answer(200, group.body)


def _find(cloud: Cloud, request: Request) -> Resource:
    group = cloud.store.find(request.id)
    if group is None:
        raise group_not_found(request.id.group)
    return group


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _find(cloud, request).body)


def _head(cloud: Cloud, request: Request) -> Answer:
    return Answer(204 if cloud.store.find(request.id) else 404)


def _delete(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        group = _find(cloud, request)
        set_state(cloud, group.id, "Deleting")
    started = cloud.operations.start(
        request,
        f"{TYPE}/delete",
        group.location,
        lambda: _delete_content(cloud, group.id),
        track=_TRACK,
        slow=bool(cloud.store.select(under=group.id)),
    )
    return Answer(202, None, {"Location": job_url(request, "RESOURCEGROUPDELETIONJOB", started, group.location)})


def _delete_content(cloud: Cloud, group: ResourceId) -> None:
    """Delete what can be deleted, again and again, until nothing is left or nothing moves."""
    remaining, last_errors = _top_level(cloud, group), dict[str, ArmError]()
    while remaining:
        last_errors = {}
        for resource in remaining:
            if error := _try_delete(cloud, resource):
                last_errors[str(resource.id)] = error
        left = _top_level(cloud, group)
        if {resource.id for resource in remaining} <= {resource.id for resource in left}:
            set_state(cloud, group, "Succeeded")
            raise _deletion_timeout(group, last_errors)
        remaining = left
    cloud.store.remove(group)


def _try_delete(cloud: Cloud, resource: Resource) -> ArmError | None:
    kind = cloud.kind_of(resource.id.type)
    if kind is None or cloud.store.find(resource.id) is None:
        return None
    try:
        for child in sorted(cloud.store.select(under=resource.id), key=lambda child: -len(child.id.types)):
            if child_kind := cloud.kind_of(child.id.type):
                child_kind.check_delete(cloud, child)
                child_kind.remove(cloud, child)
        kind.check_delete(cloud, resource)
        kind.remove(cloud, resource)
    except ArmError as error:
        return error
    return None


def _top_level(cloud: Cloud, group: ResourceId) -> list[Resource]:
    return [resource for resource in cloud.store.select(under=group) if resource.id.parent is None]


def _deletion_timeout(group: ResourceId, errors: dict[str, ArmError]) -> ArmError:
    names = ",".join(f"{ResourceId.parse(text).type}/{ResourceId.parse(text).name}" for text in errors)
    details: list[dict[str, Any]] = [
        {"code": None, "target": text, "message": json.dumps(error.body())} for text, error in errors.items()
    ]
    return ArmError(
        409,
        "ResourceGroupDeletionTimeout",
        f"Deletion of resource group '{group.group}' did not finish within the allowed time as resources with "
        f"identifiers '{names}' could not be deleted. The provisioning state of the resource group will be rolled "
        f"back. The tracking Id is '{uuid.uuid4()}'. Please check audit logs for more details.",
        details=details,
    )
