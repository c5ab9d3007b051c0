"""Lists of resources of every type, in a subscription or a group, by tag or type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.permissions import is_permitted
from verified_images.emulator.lifecycle import check_group_exists
from verified_images.emulator.paging import page
from verified_images.emulator.resource_manager.filters import filters_by_tag, matches_filter
from verified_images.emulator.resource_manager.groups import TYPE as GROUP_TYPE
from verified_images.emulator.routing import GROUP, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

_EXPANDED = {"createdtime": "createdTime", "changedtime": "changedTime", "provisioningstate": "provisioningState"}
_SHOWN_BY_TAG = ("id", "name", "type", "location", "sku", "zones")
_SHOWN = ("id", "name", "type", "location", "sku", "plan", "kind", "managedBy", "identity", "zones", "tags")


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/resources", _list_in_subscription)
    yield Route("GET", GROUP + "/resources", _list_in_group)


def _list_in_subscription(cloud: Cloud, request: Request) -> Answer:
    return _list(cloud, request, None)


def _list_in_group(cloud: Cloud, request: Request) -> Answer:
    check_group_exists(cloud, request.id)
    return _list(cloud, request, request.id.group_id)


def _list(cloud: Cloud, request: Request, group: ResourceId | None) -> Answer:
    wanted = request.query.get("$filter")
    by_tag = filters_by_tag(wanted)
    expanded = {part.strip().lower() for part in request.query.get("$expand", "").split(",")} - {""}
    if unknown := expanded - set(_EXPANDED):
        raise ArmError(
            400,
            "InvalidExpandInQueryString",
            f"The $expand query parameter '{', '.join(sorted(unknown))}' is not supported. The supported values are "
            f"'{', '.join(_EXPANDED.values())}'.",
        )
    found = [
        _shorten(resource, by_tag=by_tag, expanded=set() if by_tag else expanded)
        for resource in cloud.store.select(under=group)
        if resource.id.type != GROUP_TYPE
        and _is_tracked(cloud, resource)
        and matches_filter(resource, wanted)
        and is_permitted(cloud, request.caller, f"{resource.id.type}/read", str(resource.id))
    ]
    return page(cloud, request, found)


def _is_tracked(cloud: Cloud, resource: Resource) -> bool:
    kind = cloud.kind_of(resource.id.type)
    return kind is not None and kind.tracked


def _shorten(resource: Resource, *, by_tag: bool, expanded: set[str]) -> dict[str, Any]:
    """Give the resource as lists show it; a list by tag shows no more than its first facts, as recorded."""
    shown = {
        key: resource.body[key] if key != "name" else resource.id.path
        for key in (_SHOWN_BY_TAG if by_tag else _SHOWN)
        if resource.body.get(key)
    }
    if by_tag and "sku" in shown:
        shown["sku"] = {"name": resource.body["sku"]["name"]}
    facts = {
        "createdtime": resource.hidden.get("created"),
        "changedtime": resource.hidden.get("changed"),
        "provisioningstate": resource.state,
    }
    return shown | {_EXPANDED[key]: facts[key] for key in _EXPANDED if key in expanded and facts[key]}
