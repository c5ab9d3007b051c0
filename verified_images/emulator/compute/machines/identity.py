"""The managed identities of a machine or scale set. Source: recorded answers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId

_KINDS = {"none", "systemassigned", "userassigned"}
_SPELT = {"none": "None", "systemassigned": "SystemAssigned", "userassigned": "UserAssigned"}


def fill_identity(cloud: Cloud, owner: ResourceId, body: dict[str, Any], existing: dict[str, Any] | None) -> None:
    """Check the identity that a body asks for and fill in what the directory knows of it, in place.

    ``existing`` is the identity that the owner has, whose principal stays the same.

    Raises:
        ArmError: 400 InvalidIdentityType, or FailedIdentityOperation when an identity does not exist.
    """
    given = body.get("identity")
    if not given:
        return
    kinds = [kind.strip().lower() for kind in str(given.get("type") or "").split(",")]
    if not set(kinds) <= _KINDS:
        raise ArmError(
            400,
            "InvalidIdentityType",
            f"The identity type '{given.get('type')}' of resource '{owner.name}' is invalid: it can be SystemAssigned, "
            "UserAssigned, both, or None.",
        )
    if kinds == ["none"]:
        del body["identity"]
        return
    filled: dict[str, Any] = {"type": ", ".join(_SPELT[kind] for kind in kinds)}
    if "systemassigned" in kinds:
        principal = (existing or {}).get("principalId") or str(uuid.uuid4())
        filled |= {"principalId": principal, "tenantId": cloud.account.tenant_id}
    if "userassigned" in kinds:
        before = dict((existing or {}).get("userAssignedIdentities") or {})
        wanted = {**before, **(given.get("userAssignedIdentities") or {})}
        named = [identifier for identifier, value in wanted.items() if value is not None]
        filled["userAssignedIdentities"] = {each: _describe(cloud, owner, each) for each in named}
    body["identity"] = filled


def _describe(cloud: Cloud, owner: ResourceId, identifier: str) -> dict[str, str]:
    found = cloud.store.find(identifier)
    if found is None or not found.id.type.lower().endswith("/userassignedidentities"):
        raise ArmError(
            400,
            "FailedIdentityOperation",
            f"Identity operation for resource '{owner}' failed with error 'Failed to perform resource identity "
            f'operation. Status: \'BadRequest\'. Response: \'{{"error":{{"code":"BadRequest","message":"Resource '
            f"'{identifier}' was not found.\"}}}}'.",
        )
    return {"principalId": found.properties["principalId"], "clientId": found.properties["clientId"]}
