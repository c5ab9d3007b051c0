"""Links from a resource or a group to another resource, kept for those who look them up. Source: recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import find_scope, is_listed
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Resources/links"
_COLLECTION = "links"
_LIST = f"{{scope}}/providers/{TYPE}"
_ITEM = _LIST + "/{name}"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _LIST, _list)
    yield Route("GET", _ITEM, _get)
    yield Route("PUT", _ITEM, _put)
    yield Route("DELETE", _ITEM, _delete)


def _list(cloud: Cloud, request: Request) -> Answer:
    find_scope(cloud, request.parameters["scope"])
    found = [
        link
        for link in cloud.records.select(_COLLECTION)
        if is_listed(request, link["properties"]["sourceId"]) and _exists(cloud, link["properties"]["sourceId"])
    ]
    return page(cloud, request, found)


def _exists(cloud: Cloud, scope: str) -> bool:
    try:
        find_scope(cloud, scope)
    except ArmError:
        return False
    return True


def _get(cloud: Cloud, request: Request) -> Answer:
    link = cloud.records.find(_COLLECTION, request.path)
    if link is None:
        name = request.parameters["name"]
        raise ArmError(404, "ResourceLinkNotFound", f"The resource link '{name}' could not be found.")
    return Answer(200, link)


def _put(cloud: Cloud, request: Request) -> Answer:
    scope = request.parameters["scope"]
    find_scope(cloud, scope)
    given = request.json().get("properties") or {}
    target = given.get("targetId")
    if not isinstance(target, str) or not target:
        raise ArmError(400, "InvalidResourceLink", "The resource link needs 'properties.targetId', a resource's id.")
    find_scope(cloud, target.rstrip("/"))
    properties = {"sourceId": f"{scope.rstrip('/')}/", "targetId": f"{target.rstrip('/')}/"}
    if given.get("notes") is not None:
        properties["notes"] = given["notes"]
    link = {
        "properties": properties,
        "id": request.path.rstrip("/"),
        "type": TYPE,
        "name": request.parameters["name"],
    }
    with cloud.records.lock:
        existing = cloud.records.find(_COLLECTION, request.path)
        cloud.records.put(_COLLECTION, request.path, link)
    return Answer(200 if existing else 201, link)


def _delete(cloud: Cloud, request: Request) -> Answer:
    return Answer(200 if cloud.records.remove(_COLLECTION, request.path) else 204)
