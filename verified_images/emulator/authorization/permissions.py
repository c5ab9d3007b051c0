"""What a caller may do: its roles at a scope and above it. Source: Azure, "How Azure RBAC determines access"."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.role_assignments import assignments_of
from verified_images.emulator.authorization.role_definitions import find_role
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import contains, find_scope
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.emulator.actions import Action
    from verified_images.emulator.cloud import Cloud

# What the tenant offers and lists of what a caller may see need no role, nor does a poll: only who began the operation
# has its URL.
_FREE = {
    "microsoft.resources/subscriptions",
    "microsoft.resources/tenants",
    "microsoft.resources/providers",
    "microsoft.resources/subscriptions/locations",
    "microsoft.resources/subscriptions/operationresults",
}
_POLLS = ("/operations", "/operationresults", "/diskoperations", "/capsoperations", "/operationstatuses")
_FILTERED = "microsoft.resources/subscriptions/resourcegroups/read"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "{scope}/providers/Microsoft.Authorization/permissions", _list)


def check_permission(cloud: Cloud, caller: Mapping[str, Any], action: Action) -> None:
    """Refuse a call that none of the caller's roles permits.

    Raises:
        ArmError: 403 AuthorizationFailed.
    """
    if _is_free(action) or is_permitted(cloud, caller, action.name, action.scope):
        return
    raise ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{caller.get('appid', '')}' with object id '{caller.get('oid', '')}' does not have "
        "authorization to "
        f"perform action '{action.name}' over scope '{action.scope}' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def is_permitted(cloud: Cloud, caller: Mapping[str, Any], action: str, scope: str) -> bool:
    """Tell whether a caller's roles permit an action on a scope."""
    return any(_allows(permission, action.lower()) for permission in _permissions(cloud, caller, scope))


def is_permitted_on_data(cloud: Cloud, caller: Mapping[str, Any], action: str, scope: str) -> bool:
    """Tell whether a caller's roles permit an action on the data in a scope, as on blobs."""
    found = _permissions(cloud, caller, scope)
    return any(_allows(permission, action.lower(), "dataActions", "notDataActions") for permission in found)


def has_any_role(cloud: Cloud, caller: Mapping[str, Any]) -> bool:
    """Tell whether a caller has a role anywhere."""
    return bool(assignments_of(cloud, str(caller.get("oid", ""))))


def _is_free(action: Action) -> bool:
    kind, name = action.type.lower(), action.name.lower()
    if not action.scope.lower().startswith("/subscriptions/"):
        return True
    if not name.endswith("/read"):
        return False
    list_of_groups = name == _FILTERED and action.scope.count("/") == 2  # noqa: PLR2004 - the subscription's id
    return kind in _FREE or list_of_groups or ("/locations/" in kind and kind.endswith(_POLLS))


def _permissions(cloud: Cloud, caller: Mapping[str, Any], scope: str) -> list[dict[str, Any]]:
    found = []
    for assignment in assignments_of(cloud, str(caller.get("oid", ""))):
        role = find_role(cloud, assignment["roleDefinitionId"])
        if role and contains(assignment["scope"], scope):
            found.extend(role["properties"]["permissions"])
    return found


def _allows(permission: dict[str, Any], action: str, granted: str = "actions", withheld: str = "notActions") -> bool:
    return any(fnmatchcase(action, pattern.lower()) for pattern in permission[granted]) and not any(
        fnmatchcase(action, pattern.lower()) for pattern in permission[withheld]
    )


def _list(cloud: Cloud, request: Request) -> Answer:
    scope = request.parameters["scope"]
    find_scope(cloud, scope)
    return Answer(200, {"value": _permissions(cloud, request.caller, scope)})
