"""Storage accounts. Source: recorded exchanges, and Azure's reference of the storage resource provider."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.merging import merge
from verified_images.emulator.operations import STORAGE
from verified_images.emulator.routing import Route
from verified_images.emulator.storage import container_resources
from verified_images.emulator.storage.account_body import account_properties, as_of
from verified_images.emulator.storage.blob_names import ACCOUNT, blob_endpoint
from verified_images.emulator.storage.blob_records import forget_files
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Storage/storageAccounts"
_ACCEPTED = 202
_KEYS = ("key1", "key2")
_PERFORMANCES = {"Standard": ("LRS", "GRS", "RAGRS", "ZRS", "GZRS", "RAGZRS"), "Premium": ("LRS", "ZRS")}
_KINDS = ("Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage")
_VERSIONS = (
    "2015-06-15",
    "2016-01-01",
    "2016-12-01",
    "2017-06-01",
    "2017-10-01",
    "2018-02-01",
    "2018-07-01",
    "2018-11-01",
    "2019-04-01",
    "2019-06-01",
    "2021-01-01",
    "2021-02-01",
    "2021-04-01",
    "2021-06-01",
    "2021-08-01",
    "2021-09-01",
    "2022-05-01",
    "2022-09-01",
    "2023-01-01",
    "2023-04-01",
    "2023-05-01",
    "2024-01-01",
    "2025-01-01",
)
_FIRST_WITH_SKU = "2016-01-01"


class StorageAccounts(Kind):
    """Microsoft.Storage/storageAccounts: what blobs, and the VHDs of unmanaged disks, are in."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(
        STORAGE, created=(202, "Creating"), updated=(200, "Succeeded"), location_on_put=True, retry_write=17
    )
    noun: ClassVar[str] = "storage account"
    api_versions: ClassVar[tuple[str, ...]] = _VERSIONS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check name, SKU and kind, and fill in the defaults."""
        if existing:
            return _updated(existing, body)
        name = request.id.name
        if not ACCOUNT.fullmatch(name):
            raise _invalid_name(name)
        if is_taken(cloud, name):
            raise ArmError(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
        given = dict(body.get("properties") or {})
        sku, kind = _sku_and_kind(request, body, given)
        kept = {key: value for key, value in body.items() if key not in {"sku", "kind", "properties"}}
        now = datetime.now(UTC).isoformat()
        properties = account_properties(name, body["location"], (sku["name"], kind), given, now)
        account = Resource(request.id, {"sku": sku, "kind": kind, "tags": {}, **kept, "properties": properties})
        account.hidden["keys"] = {key: _make_key() for key in _KEYS}
        return account

    def is_synchronous(self, resource: Resource, existing: Resource | None) -> bool:
        """Tell whether a write is an update, which is done at once."""
        del resource
        return existing is not None

    def put(self, cloud: Cloud, request: Request) -> Answer:
        """Create, which first answers with a Location to poll and no body; or update."""
        return _without_status(super().put(cloud, request))

    def patch(self, cloud: Cloud, request: Request) -> Answer:
        """Merge into what is there, at once."""
        with cloud.store.lock:
            existing = self.find(cloud, request.id)
            account = _updated(existing, merge({"properties": {}}, request.json()))
            cloud.store.put(account)
        return Answer(200, self.render(cloud, account, request))

    def delete(self, cloud: Cloud, request: Request) -> Answer:
        """Delete, at once; an account with the disk of a machine in it stays."""
        with cloud.store.lock:
            account = self.find(cloud, request.id) if cloud.store.find(request.id) else None
            if account is None:
                return Answer(204)
            self.check_delete(cloud, account)
        self.remove(cloud, account)
        return Answer(200)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a machine uses a VHD in the account."""
        for blob in cloud.store.select(under=resource.id):
            if owner := blob.body.get("managedBy"):
                raise ArmError(
                    409,
                    "StorageAccountInUse",
                    f"The storage account {resource.id.name} has the disk {blob.hidden['uri']} of {owner}.",
                )

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the files of the blobs in the account, and of the VHDs of machines."""
        for blob in cloud.store.select(under=resource.id):
            forget_files(blob)
            if disk := blob.hidden.get("path"):
                cloud.hypervisor.delete_disk(Path(disk))

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the account as the api-version shows it."""
        del cloud
        body = as_of(resource.body, request.api_version)
        endpoints = body["properties"].get("primaryEndpoints") or {}
        if request.base_url and "blob" in endpoints:
            here = {**endpoints, "blob": blob_endpoint(resource.id.name, request.base_url)}
            body["properties"] = {**body["properties"], "primaryEndpoints": here}
        return body

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of names, keys and containers."""
        item = self.collection_pattern() + "/{name}"
        yield Route("POST", item + "/listKeys", self._list_keys)
        yield Route("POST", item + "/regenerateKey", self._regenerate_key)
        yield from container_resources.routes(item)
        base = "/subscriptions/{subscription}/providers/Microsoft.Storage"
        yield Route("POST", base + "/checkNameAvailability", _check_name)

    def _list_keys(self, cloud: Cloud, request: Request) -> Answer:
        return _keys_answer(self.find(cloud, request.id))

    def _regenerate_key(self, cloud: Cloud, request: Request) -> Answer:
        name = request.json().get("keyName")
        if not name:
            raise missing_parameter("keyName")
        if name not in _KEYS:
            raise _invalid("keyName")
        with cloud.store.lock:
            account = self.find(cloud, request.id)
            account.hidden["keys"][name] = _make_key()
            cloud.store.put(account)
        return _keys_answer(account)


def is_taken(cloud: Cloud, name: str) -> bool:
    """Tell whether there is an account with a name, which no two may have."""
    return find_account(cloud, name) is not None


def find_account(cloud: Cloud, name: str) -> Resource | None:
    """Give the account with a name, or None."""
    return next((each for each in cloud.store.select(TYPE) if each.id.name.lower() == name.lower()), None)


def _sku_and_kind(request: Request, body: dict[str, Any], given: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Give the SKU and the kind; the first api-version has an ``accountType`` in their place."""
    if request.api_version < _FIRST_WITH_SKU:
        kind = "Storage"
        name = given.pop("accountType", None)
        if not name:
            raise missing_parameter("properties.accountType")
    else:
        name = (body.get("sku") or {}).get("name")
        kind = str(body.get("kind") or "")
        if not name:
            raise missing_parameter("sku.name")
        if not kind:
            raise missing_parameter("kind")
    tier, _, redundancy = str(name).partition("_")
    if redundancy not in _PERFORMANCES.get(tier, ()):
        raise _invalid("sku.name")
    if kind not in _KINDS:
        raise _invalid("kind")
    return {"name": name, "tier": tier}, kind


def _updated(existing: Resource, body: dict[str, Any]) -> Resource:
    """Give an account with what an update changes of it."""
    given = {key: value for key, value in (body.get("properties") or {}).items() if key != "accountType"}
    if body.get("kind") not in {None, existing.body["kind"], "StorageV2"}:
        raise _invalid("kind")
    changed = {key: body[key] for key in ("tags", "identity", "kind") if body.get(key) is not None}
    if name := (body.get("sku") or {}).get("name"):
        changed["sku"] = {"name": name, "tier": name.partition("_")[0]}
        if changed["sku"]["tier"] != existing.body["sku"]["tier"]:
            raise _invalid("sku.name")
    properties = {**existing.properties, **given}
    return Resource(existing.id, {**existing.body, **changed, "properties": properties}, existing.hidden)


def _without_status(answer: Answer) -> Answer:
    if answer.status != _ACCEPTED:
        return answer
    kept = {name: value for name, value in answer.headers.items() if name in {"Location", "Retry-After"}}
    return Answer(answer.status, None, kept)


def _keys_answer(account: Resource) -> Answer:
    made = account.properties["creationTime"]
    keys = account.hidden["keys"]
    listed = [{"creationTime": made, "keyName": key, "value": keys[key], "permissions": "FULL"} for key in _KEYS]
    return Answer(200, {"keys": listed})


def _check_name(cloud: Cloud, request: Request) -> Answer:
    given = request.json()
    for key in ("name", "type"):
        if not given.get(key):
            raise missing_parameter(key)
    name = str(given["name"])
    if not ACCOUNT.fullmatch(name):
        refusal = {"reason": "AccountNameInvalid", "message": _invalid_name(name).message}
        return Answer(200, {"nameAvailable": False, **refusal})
    if is_taken(cloud, name):
        message = f"The storage account named {name} is already taken."
        return Answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Answer(200, {"nameAvailable": True})


def _make_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


def _invalid_name(name: str) -> ArmError:
    return ArmError(
        400,
        "AccountNameInvalid",
        f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
        "length and use numbers and lower-case letters only.",
    )


def _invalid(parameter: str) -> ArmError:
    return ArmError(
        400,
        "InvalidValuesForRequestParameters",
        f"Values for request parameters are invalid: {parameter}. For more information, see - "
        "https://aka.ms/storageaccountresourceschema",
    )
