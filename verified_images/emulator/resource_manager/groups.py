"""Resource groups. Deleting one deletes what is in it, in an order that the dependencies allow."""

from __future__ import annotations

import json
import re
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, group_being_deleted, group_not_found
from verified_images.emulator.authorization.permissions import is_permitted
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import set_state
from verified_images.emulator.locations import LOCATIONS, check_location, normalize_location
from verified_images.emulator.operations import IN_PROGRESS, Work
from verified_images.emulator.paging import page
from verified_images.emulator.resource_manager.filters import matches_filter
from verified_images.emulator.resource_manager.jobs import DELETION, answer_of_job, key_of_job, start_job
from verified_images.emulator.resource_manager.tags import check_tags
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Resources/resourceGroups"
_READ = "Microsoft.Resources/subscriptions/resourceGroups/read"
_NAME = re.compile(r"[-\w.()]{0,89}[-\w()]")
_FIRST_WITH_TYPE = "2018-05-01"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/resourceGroups", _list)
    yield Route("PUT", GROUP, _put)
    yield Route("PATCH", GROUP, _patch)
    yield Route("GET", GROUP, _get)
    yield Route("HEAD", GROUP, _head)
    yield Route("DELETE", GROUP, _delete)


def _list(cloud: Cloud, request: Request) -> Answer:
    groups = [
        group
        for group in cloud.store.select(TYPE)
        if matches_filter(group, request.query.get("$filter"))
        and is_permitted(cloud, request.caller, _READ, str(group.id))
    ]
    return page(cloud, request, [_render(group, request) for group in groups])


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
    if body.get("name") not in {None, identifier.group}:
        raise _name_mismatch(str(body["name"]), identifier.group)
    tags = check_tags(body.get("tags"))
    with cloud.store.lock:
        existing = cloud.store.find(identifier)
        if existing and existing.state == "Deleting":
            raise group_being_deleted(identifier.group)
        _check_location(body, existing)
        group = existing or Resource(identifier, {})
        group.body = {
            "id": str(group.id),
            "name": group.id.group,
            "type": TYPE,
            "location": body["location"],
            **({"tags": tags} if body.get("tags") is not None else {}),
            **({"managedBy": body["managedBy"]} if body.get("managedBy") else {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        cloud.store.put(group)
    return Answer(200 if existing else 201, _render(group, request))


def _name_mismatch(given: str, name: str) -> ArmError:
    return ArmError(
        400, "InvalidRequestContent", f"The resource group name '{given}' in the body is not '{name}', as in the URL."
    )


def _check_location(body: dict[str, Any], existing: Resource | None) -> None:
    """Check and normalise the location, in the words that Azure has for groups."""
    given = body.get("location")
    if existing and isinstance(given, str) and normalize_location(given) != existing.location:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{normalize_location(given)}'. The Resource group already exists in "
            f"location '{existing.location}'.",
        )
    if isinstance(given, str) and given and normalize_location(given) not in LOCATIONS:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{given}' is not available for resource group. List of available regions is "
            f"'{','.join(LOCATIONS)}'.",
        )
    check_location(TYPE, body, existing)


def _render(group: Resource, request: Request) -> dict[str, Any]:
    """Give a group as an api-version shows it: the first ones had no type."""
    if request.api_version < _FIRST_WITH_TYPE:
        return {key: value for key, value in group.body.items() if key != "type"}
    return group.body


def _patch(cloud: Cloud, request: Request) -> Answer:
    body = request.json()
    with cloud.store.lock:
        group = _find(cloud, request)
        if group.state == "Deleting":
            raise group_being_deleted(group.id.group)
        if body.get("name") not in {None, group.id.group}:
            raise _name_mismatch(str(body["name"]), group.id.group)
        if "tags" in body:
            group.body["tags"] = check_tags(body["tags"])
        if body.get("managedBy"):
            group.body["managedBy"] = body["managedBy"]
        cloud.store.put(group)
    return Answer(200, _render(group, request))


def _find(cloud: Cloud, request: Request) -> Resource:
    group = cloud.store.find(request.id)
    if group is None:
        raise group_not_found(request.id.group)
    return group


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _render(_find(cloud, request), request))


def _head(cloud: Cloud, request: Request) -> Answer:
    _find(cloud, request)
    return Answer(204)


def _delete(cloud: Cloud, request: Request) -> Answer:
    """Begin to delete a group; a deletion that is under way is not begun again."""
    with cloud.store.lock:
        group = _find(cloud, request)
        under_way = group.hidden.get("deletion", "")
        running = cloud.operations.find(under_way)
        if group.state == "Deleting" and running and running["status"] == IN_PROGRESS:
            return answer_of_job(request, f"{DELETION}-{under_way}", group.location)
        set_state(cloud, group.id, "Deleting")
        answer = start_job(
            cloud,
            request,
            DELETION,
            deletion_work(cloud, group.id),
            name="Microsoft.Resources/subscriptions/resourceGroups/delete",
            location=group.location,
            slow=bool(cloud.store.select(under=group.id)),
        )
        with cloud.store.changing(group.id) as found:
            if found:
                found.hidden["deletion"] = key_of_job(answer)
    return answer


def deletion_work(cloud: Cloud, group: ResourceId) -> Work:
    """Give what the deletion of a group does."""
    return Work(lambda: _delete_content(cloud, group), on=group, conclude=partial(_conclude, cloud, group))


def _conclude(cloud: Cloud, group: ResourceId, succeeded: bool) -> None:  # noqa: FBT001 - as Work wants it
    if not succeeded:
        set_state(cloud, group, "Succeeded")


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
            raise _deletion_timeout(group, last_errors)
        remaining = left
    cloud.store.remove(group)
    cloud.records.remove_under(str(group))


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
