"""Scopes: the ids of subscriptions, groups and resources, each within those above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_SUBSCRIPTION_SEGMENTS = 2


def contains(scope: str, other: str) -> bool:
    """Tell whether a scope is another one or above it."""
    outer, inner = scope.strip("/").lower(), other.strip("/").lower()
    return not outer or inner == outer or inner.startswith(outer + "/")


def is_listed(request: Request, place: str) -> bool:
    """Tell whether a list of a scope has what is at a place: in the scope, with ``atScope()`` at the scope itself."""
    scope = request.parameters["scope"]
    exactly = "atscope()" in request.query.get("$filter", "").lower()
    return contains(scope, place) and (not exactly or contains(place, scope))


def find_scope(cloud: Cloud, scope: str) -> Resource | None:
    """Give the group or resource that a scope is, None for the subscription.

    Raises:
        ArmError: 404: there is no such subscription, group or resource; 400: the text is no scope.
    """
    parts = scope.strip("/").split("/")
    if len(parts) == _SUBSCRIPTION_SEGMENTS and parts[0].lower() == "subscriptions":
        return None
    try:
        identifier = ResourceId.parse(scope)
    except ValueError as error:
        raise ArmError(400, "InvalidScope", f"The scope '{scope}' is not valid.") from error
    group = cloud.store.find(identifier.group_id)
    if group is None:
        raise arm_errors.group_not_found(identifier.group)
    found = cloud.store.find(identifier)
    if found is None:
        raise arm_errors.resource_not_found(identifier)
    return found
