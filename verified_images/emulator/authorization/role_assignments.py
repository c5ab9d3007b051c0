"""Role assignments: who has which role where. Source: Azure REST, role assignments, and recorded exchanges."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.built_in_roles import OWNER
from verified_images.emulator.authorization.role_definitions import find_role, find_role_by_name
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import contains, find_scope
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Authorization/roleAssignments"
_COLLECTION = "role assignments"
_PRINCIPAL = re.compile(r"(?:principalId\s+eq|assignedTo\()\s*'([^']*)'", re.IGNORECASE)


def routes() -> Iterator[Route]:
    """Give the URL table."""
    base = f"{{scope}}/providers/{TYPE}"
    yield Route("GET", base, _list)
    yield Route("GET", base + "/{name}", _get)
    yield Route("PUT", base + "/{name}", _put)
    yield Route("DELETE", base + "/{name}", _delete)


def assignments_of(cloud: Cloud, principal: str) -> list[dict[str, Any]]:
    """Give the properties of a principal's assignments; the installation's own application owns the subscription."""
    found = [
        each["properties"]
        for each in cloud.records.select(_COLLECTION)
        if each["properties"]["principalId"].lower() == principal.lower()
    ]
    if principal.lower() == cloud.account.object_id.lower():
        found.append(_of_owner(cloud)["properties"])
    return found


def assign_role(cloud: Cloud, principal: str, role: str, scope: str) -> None:
    """Give a principal a role, by the name or id of its definition, on a scope; having it already is no error.

    Raises:
        ArmError: 404: there is no such role.
    """
    named = find_role_by_name(cloud, role)
    role = named["name"] if named else role
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{principal}/{role}/{scope}".lower()))
    identifier = f"{scope.rstrip('/')}/providers/{TYPE}/{name}"
    cloud.records.put(
        _COLLECTION, identifier, _make(cloud, identifier, {"principalId": principal, "roleDefinitionId": role})
    )


def _of_owner(cloud: Cloud) -> dict[str, Any]:
    scope = f"/subscriptions/{cloud.account.subscription_id}"
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{cloud.account.object_id}/{OWNER}"))
    given = {"principalId": cloud.account.object_id, "roleDefinitionId": f"{scope}/providers/x/{OWNER}"}
    return _make(cloud, f"{scope}/providers/{TYPE}/{name}", given)


def _make(cloud: Cloud, identifier: str, given: dict[str, Any], caller: str | None = None) -> dict[str, Any]:
    role = find_role(cloud, given["roleDefinitionId"])
    if role is None:
        shown = given["roleDefinitionId"].rpartition("/")[2]
        raise ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{shown}' does not exist."
        )
    scope, _, rest = identifier.rpartition("/providers/")
    now = datetime.now(UTC).isoformat()
    definition = f"/subscriptions/{cloud.account.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
    return {
        "properties": {
            "roleDefinitionId": f"{definition}/{role['name']}",
            "principalId": given["principalId"],
            "principalType": given.get("principalType") or "ServicePrincipal",
            "scope": scope,
            "condition": given.get("condition"),
            "conditionVersion": given.get("conditionVersion"),
            "createdOn": now,
            "updatedOn": now,
            "createdBy": None,
            "updatedBy": caller,
            "delegatedManagedIdentityResourceId": None,
            "description": given.get("description"),
        },
        "id": identifier,
        "type": TYPE,
        "name": rest.rpartition("/")[2],
    }


def _list(cloud: Cloud, request: Request) -> Answer:
    scope, text = request.parameters["scope"], request.query.get("$filter", "")
    find_scope(cloud, scope)
    principal = _PRINCIPAL.search(text)
    only_here = "atscope()" in text.lower()
    found = [
        each
        for each in [_of_owner(cloud), *cloud.records.select(_COLLECTION)]
        if (
            contains(each["properties"]["scope"], scope)
            or (not only_here and contains(scope, each["properties"]["scope"]))
        )
        and (not principal or each["properties"]["principalId"].lower() == principal[1].lower())
    ]
    return page(cloud, request, found)


def _get(cloud: Cloud, request: Request) -> Answer:
    found = cloud.records.find(_COLLECTION, request.path)
    if found is None:
        name = request.parameters["name"]
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")
    return Answer(200, found)


def _put(cloud: Cloud, request: Request) -> Answer:
    find_scope(cloud, request.parameters["scope"])
    body = request.json()
    given = body.get("properties") or body
    if not isinstance(given.get("principalId"), str) or not isinstance(given.get("roleDefinitionId"), str):
        raise ArmError(
            400,
            "BadRequestFormat",
            "The request was incorrectly formatted: a role assignment needs principalId and roleDefinitionId.",
        )
    name = request.parameters["name"]
    try:
        uuid.UUID(name)
    except ValueError as error:
        message = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        raise ArmError(400, "InvalidRoleAssignmentId", message) from error
    made = _make(cloud, request.path.rstrip("/"), given, request.caller.get("oid"))
    with cloud.records.lock:
        _check_new(cloud, made)
        cloud.records.put(_COLLECTION, request.path, made)
    return Answer(201, made)


def _check_new(cloud: Cloud, made: dict[str, Any]) -> None:
    for other in cloud.records.select(_COLLECTION):
        same = all(
            str(other["properties"][key]).lower() == str(made["properties"][key]).lower()
            for key in ("principalId", "roleDefinitionId", "scope")
        )
        if other["id"].lower() == made["id"].lower() and not same:
            raise ArmError(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        if same:
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is "
                f"{other['name'].replace('-', '')}.",
            )


def _delete(cloud: Cloud, request: Request) -> Answer:
    removed = cloud.records.remove(_COLLECTION, request.path)
    return Answer(200, removed) if removed else Answer(204)
