"""Containers as resources of Resource Manager, as templates make them. Source: Azure's reference, "Blob Containers"."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.lifecycle import check_group_exists
from verified_images.emulator.routing import Route
from verified_images.emulator.storage.blob_names import BlobName, check_container_name
from verified_images.emulator.storage.blob_records import containers_in, find_container, new_container
from verified_images.emulator.storage.containers import remove
from verified_images.emulator.storage.storage_errors import StorageError
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


def routes(account: str) -> Iterator[Route]:
    """Give the routes of the containers of an account, whose pattern is given."""
    items = f"{account}/blobServices/default/containers"
    yield Route("GET", items, _list)
    yield Route("GET", items + "/{container}", _get)
    yield Route("PUT", items + "/{container}", _put)
    yield Route("DELETE", items + "/{container}", _delete)


def _list(cloud: Cloud, request: Request) -> Answer:
    account = _account(cloud, request)
    return Answer(200, {"value": [_described(each) for each in containers_in(cloud, account)]})


def _get(cloud: Cloud, request: Request) -> Answer:
    account, name = _account(cloud, request), _name(request)
    try:
        return Answer(200, _described(find_container(cloud, account, name)))
    except StorageError as error:
        raise _as_arm_says(error) from error


def _put(cloud: Cloud, request: Request) -> Answer:
    given = request.json().get("properties") or {}
    if str(given.get("publicAccess") or "None") != "None":
        raise ArmError(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")
    name = _name(request)
    with cloud.store.lock:
        account = _account(cloud, request)
        try:
            check_container_name(name.container)
        except StorageError as error:
            raise _as_arm_says(error) from error
        container = new_container(account, name, given.get("metadata") or {})
        existed = cloud.store.find(container.id) is not None
        cloud.store.put(container)
    return Answer(200 if existed else 201, _described(container))


def _delete(cloud: Cloud, request: Request) -> Answer:
    account, name = _account(cloud, request), _name(request)
    try:
        remove(cloud, find_container(cloud, account, name))
    except StorageError as error:
        if error.status == 404:  # noqa: PLR2004 - an HTTP status
            return Answer(204)
        raise _as_arm_says(error) from error
    return Answer(200)


def _account(cloud: Cloud, request: Request) -> Resource:
    check_group_exists(cloud, request.id)
    account = cloud.store.find(request.path.partition("/blobServices/")[0])
    if account is None:
        name = request.parameters["name"]
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform '{request.method.lower()}' on resource(s) of type "
            f"'storageAccounts/blobServices/containers', because the parent resource '/{name}' could not be found.",
            headers={"x-ms-failure-cause": "gateway"},
        )
    return account


def _name(request: Request) -> BlobName:
    return BlobName(request.parameters["name"], request.parameters["container"])


def _described(container: Resource) -> dict[str, Any]:
    facts = container.hidden["container"]
    changed = parsedate_to_datetime(facts["changed"]).astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        **{key: container.body[key] for key in ("id", "name", "type")},
        "etag": facts["etag"],
        "properties": {
            "deleted": False,
            "remainingRetentionDays": 0,
            "publicAccess": "None",
            "leaseStatus": "Unlocked",
            "leaseState": "Available",
            "lastModifiedTime": changed,
            "metadata": facts["metadata"],
            "hasImmutabilityPolicy": False,
            "hasLegalHold": False,
        },
    }


def _as_arm_says(error: StorageError) -> ArmError:
    return ArmError(error.status, error.code, error.message)
