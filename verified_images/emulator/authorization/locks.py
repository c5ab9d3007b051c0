"""Locks, which keep a scope and what is below it from being deleted or changed. Source: Azure, "Lock resources"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import contains, find_scope, is_listed
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.actions import Action
    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Authorization/locks"
_LEVELS = {"cannotdelete": "CanNotDelete", "readonly": "ReadOnly"}
_COLLECTION = "locks"
_LIST = f"{{scope}}/providers/{TYPE}"
_ITEM = _LIST + "/{name}"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _LIST, _list)
    yield Route("GET", _ITEM, _get)
    yield Route("PUT", _ITEM, _put)
    yield Route("DELETE", _ITEM, _delete)


def check_locks(cloud: Cloud, method: str, action: Action) -> None:
    """Refuse a call that a lock on its scope, above it or (for a deletion) below it does not allow.

    Raises:
        ArmError: 409 ScopeLocked.
    """
    if method in {"GET", "HEAD"} or action.type.lower().startswith("microsoft.authorization/"):
        return
    verb = "delete" if method == "DELETE" else "write"
    locked = [_scope_of(lock) for lock in cloud.records.select(_COLLECTION) if _forbids(lock, verb, action.scope)]
    if locked:
        scopes = ",".join(locked)
        raise ArmError(
            409,
            "ScopeLocked",
            f"The scope '{action.scope}' cannot perform {verb} operation because following scope(s) are locked: "
            f"'{scopes}'. Please remove the lock and try again.",
        )


def _forbids(lock: dict[str, Any], verb: str, scope: str) -> bool:
    if verb == "write" and lock["properties"]["level"] != "ReadOnly":
        return False
    locked = _scope_of(lock)
    return contains(locked, scope) or (verb == "delete" and contains(scope, locked))


def _scope_of(lock: dict[str, Any]) -> str:
    return str(lock["id"]).rpartition("/providers/")[0]


def _list(cloud: Cloud, request: Request) -> Answer:
    find_scope(cloud, request.parameters["scope"])
    found = [lock for lock in cloud.records.select(_COLLECTION) if is_listed(request, _scope_of(lock))]
    return page(cloud, request, found)


def _get(cloud: Cloud, request: Request) -> Answer:
    find_scope(cloud, request.parameters["scope"])
    lock = cloud.records.find(_COLLECTION, request.path)
    if lock is None:
        raise ArmError(404, "LockNotFound", f"The lock '{request.parameters['name']}' could not be found.")
    return Answer(200, lock)


def _put(cloud: Cloud, request: Request) -> Answer:
    find_scope(cloud, request.parameters["scope"])
    given = request.json().get("properties") or {}
    level = _LEVELS.get(str(given.get("level", "")).lower())
    if level is None:
        raise ArmError(
            400, "InvalidRequestContent", f"The lock level '{given.get('level')}' is not one of CanNotDelete, ReadOnly."
        )
    properties = {"level": level}
    properties |= {key: given[key] for key in ("notes", "owners") if given.get(key) is not None}
    name = request.parameters["name"]
    lock = {"properties": properties, "id": request.path.rstrip("/"), "type": TYPE, "name": name}
    with cloud.records.lock:
        existing = cloud.records.find(_COLLECTION, request.path)
        cloud.records.put(_COLLECTION, request.path, lock)
    return Answer(200 if existing else 201, lock)


def _delete(cloud: Cloud, request: Request) -> Answer:
    return Answer(200 if cloud.records.remove(_COLLECTION, request.path) else 204)
