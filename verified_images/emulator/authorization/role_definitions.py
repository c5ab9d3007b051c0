"""Role definitions: the built-in ones, and those that users make. Source: Azure REST, recorded exchanges."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.built_in_roles import BUILT_IN_ROLES
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import contains
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Authorization/roleDefinitions"
COLLECTION = "role definitions"
_NAME_FILTER = re.compile(r"roleName\s+eq\s+'((?:[^']|'')*)'", re.IGNORECASE)
_KIND_FILTER = re.compile(r"type\s+eq\s+'(\w+)'", re.IGNORECASE)


def routes() -> Iterator[Route]:
    """Give the URL table."""
    for base in (f"{{scope}}/providers/{TYPE}", f"/providers/{TYPE}"):
        yield Route("GET", base, _list)
        yield Route("GET", base + "/{name}", _get)
    item = f"{{scope}}/providers/{TYPE}/{{name}}"
    yield Route("PUT", item, _put)
    yield Route("DELETE", item, _delete)


def find_role(cloud: Cloud, identifier: str) -> dict[str, Any] | None:
    """Give the role definition with an id (of which the last part counts), as it is kept."""
    name = identifier.rstrip("/").rpartition("/")[2].lower()
    return BUILT_IN_ROLES.get(name) or cloud.records.find(COLLECTION, name)


def find_role_by_name(cloud: Cloud, name: str) -> dict[str, Any] | None:
    """Give the role definition that is called so."""
    roles = [*BUILT_IN_ROLES.values(), *cloud.records.select(COLLECTION)]
    return next((role for role in roles if role["properties"]["roleName"].lower() == name.lower()), None)


def _render(cloud: Cloud, role: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"/subscriptions/{cloud.account.subscription_id}/providers/{TYPE}/{role['name']}", **role}


def _list(cloud: Cloud, request: Request) -> Answer:
    text = request.query.get("$filter", "")
    name, kind = _NAME_FILTER.search(text), _KIND_FILTER.search(text)
    scope = request.parameters.get("scope", "")
    found = [
        _render(cloud, role)
        for role in [*BUILT_IN_ROLES.values(), *cloud.records.select(COLLECTION)]
        if any(contains(assignable, scope) for assignable in role["properties"]["assignableScopes"])
        and (not name or role["properties"]["roleName"].lower() == name[1].replace("''", "'").lower())
        and (not kind or role["properties"]["type"].lower() == kind[1].lower())
    ]
    return page(cloud, request, found)


def _get(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    role = find_role(cloud, name)
    if role is None:
        raise ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
        )
    return Answer(200, _render(cloud, role))


def _put(cloud: Cloud, request: Request) -> Answer:
    name, given = request.parameters["name"], request.json().get("properties") or {}
    if name.lower() in BUILT_IN_ROLES:
        raise ArmError(403, "RoleDefinitionUpdateNotPermitted", "A built-in role definition cannot be updated.")
    permissions, scopes = given.get("permissions"), given.get("assignableScopes")
    if not given.get("roleName") or not isinstance(permissions, list) or not isinstance(scopes, list) or not scopes:
        raise ArmError(
            400,
            "BadRequestFormat",
            "The request was incorrectly formatted: a role needs a name, permissions and scopes.",
        )
    try:
        uuid.UUID(name)
    except ValueError as error:
        message = "The role definition ID 'x' is not valid. The role definition ID must be a GUID.".replace("x", name)
        raise ArmError(400, "InvalidRoleDefinitionId", message) from error
    now = datetime.now(UTC).isoformat()
    with cloud.records.lock:
        existing = cloud.records.find(COLLECTION, name)
        role = {
            "properties": {
                "roleName": given["roleName"],
                "type": "CustomRole",
                "description": given.get("description", ""),
                "assignableScopes": scopes,
                "permissions": [_complete(each) for each in permissions],
                "createdOn": existing["properties"]["createdOn"] if existing else now,
                "updatedOn": now,
                "createdBy": request.caller.get("oid"),
                "updatedBy": request.caller.get("oid"),
            },
            "type": TYPE,
            "name": name,
        }
        cloud.records.put(COLLECTION, name, role)
    return Answer(201, _render(cloud, role))


def _complete(permission: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(permission, dict):
        raise ArmError(400, "BadRequestFormat", "The request was incorrectly formatted: a permission is an object.")
    return {key: permission.get(key) or [] for key in ("actions", "notActions", "dataActions", "notDataActions")}


def _delete(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    used = [
        each
        for each in cloud.records.select("role assignments")
        if each["properties"]["roleDefinitionId"].rpartition("/")[2].lower() == name.lower()
    ]
    if used:
        raise ArmError(
            400,
            "RoleDefinitionHasAssignments",
            "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).",
        )
    role = cloud.records.remove(COLLECTION, name)
    return Answer(200, _render(cloud, role)) if role else Answer(204)
