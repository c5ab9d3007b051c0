"""The blob service of storage accounts: which call does what, and who may. Source: Azure Storage, "Blob service".

Not emulated: leases, snapshots, versions, soft delete, append blobs, tags, tiers, batches, stored access policies,
user delegation keys, and public access. The disks of machines that lie in an account are not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.actions import Action
from verified_images.emulator.storage import blob_lists, blobs, block_blobs, containers
from verified_images.emulator.storage.blob_access import check_caller
from verified_images.emulator.storage.blob_names import BLOB_TYPE, CONTAINER_TYPE, container_id, named_by
from verified_images.emulator.storage.storage_accounts import find_account
from verified_images.emulator.storage.storage_errors import VERSION, StorageError
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.arm_errors import ArmError
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

    Handler = Callable[[Cloud, Request, Resource, BlobName], Answer]

LARGEST_BODY = 256 * 1024**2
"""The most bytes of a call: Azure takes larger block blobs at once, and clients that send them in blocks."""
_READ, _WRITE, _DELETE = (f"{BLOB_TYPE}/{verb}" for verb in ("read", "write", "delete"))
_SEE, _MAKE, _REMOVE = (f"{CONTAINER_TYPE}/{verb}" for verb in ("read", "write", "delete"))


@dataclass(frozen=True, slots=True)
class _Operation:
    """What a call does, the permissions of which a signature has to give one, and the action that a role has to."""

    handler: Handler
    permissions: str
    action: str


def _service_properties(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    del cloud, request, account, name
    body = b'<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties />'
    return Answer(200, body, {"Content-Type": "application/xml", "x-ms-version": VERSION})


# By kind of resource (service, container, object), method and "comp".
_OPERATIONS = {
    ("s", "GET", "list"): _Operation(blob_lists.list_containers, "l", _SEE),
    ("s", "GET", "properties"): _Operation(_service_properties, "r", _SEE),
    ("c", "PUT", ""): _Operation(containers.create, "cw", _MAKE),
    ("c", "GET", ""): _Operation(containers.describe, "r", _SEE),
    ("c", "GET", "metadata"): _Operation(containers.describe, "r", _SEE),
    ("c", "GET", "acl"): _Operation(containers.describe, "", f"{CONTAINER_TYPE}/getAcl/action"),
    ("c", "PUT", "metadata"): _Operation(containers.set_metadata, "w", _MAKE),
    ("c", "DELETE", ""): _Operation(containers.delete, "d", _REMOVE),
    ("c", "GET", "list"): _Operation(blob_lists.list_blobs, "l", _READ),
    ("o", "PUT", ""): _Operation(blobs.put, "cw", _WRITE),
    ("o", "PUT", "page"): _Operation(blobs.put_pages, "w", _WRITE),
    ("o", "PUT", "block"): _Operation(block_blobs.put_block, "cw", _WRITE),
    ("o", "PUT", "blocklist"): _Operation(block_blobs.put_block_list, "cw", _WRITE),
    ("o", "PUT", "metadata"): _Operation(blobs.set_metadata, "w", _WRITE),
    ("o", "PUT", "properties"): _Operation(blobs.set_properties, "w", _WRITE),
    ("o", "PUT", "copy"): _Operation(blobs.copy_action, "w", _WRITE),
    ("o", "GET", ""): _Operation(blobs.get, "r", _READ),
    ("o", "GET", "pagelist"): _Operation(blobs.get, "r", _READ),
    ("o", "GET", "metadata"): _Operation(blobs.get_metadata, "r", _READ),
    ("o", "GET", "blocklist"): _Operation(block_blobs.get_block_list, "r", _READ),
    ("o", "DELETE", ""): _Operation(blobs.delete, "d", _DELETE),
}


@dataclass(frozen=True, slots=True)
class BlobCall:
    """A call of the blob service: what it names, and what it does there."""

    account: Resource
    name: BlobName

    def action_of(self, request: Request) -> Action:
        """Give what the call does, as role definitions spell it."""
        kind = self._kind(request)
        operation = _OPERATIONS.get(self._key(request))
        name = operation.action if operation else _READ
        scope = self.account.id if kind == "s" else container_id(self.account.id, self.name.container)
        return Action(name, name.rpartition("/")[0].removesuffix("/getAcl"), str(scope))

    def answer(self, cloud: Cloud, request: Request) -> Answer:
        """Carry the call out for whoever may make it, or say why not."""
        try:
            operation = _OPERATIONS.get(self._key(request))
            needed = (operation.permissions if operation else "", self._kind(request))
            check_caller(cloud, request, (self.account, self.name), needed, self.action_of(request))
            if operation is None:
                raise _unsupported(request)
            return operation.handler(cloud, request, self.account, self.name)
        except StorageError as error:
            return error.answer()

    def _kind(self, request: Request) -> str:
        is_container = request.query.get("restype") == "container"
        return "s" if not self.name.container else "o" if self.name.blob and not is_container else "c"

    def _key(self, request: Request) -> tuple[str, str, str]:
        method = "GET" if request.method == "HEAD" else request.method
        return self._kind(request), method, request.query.get("comp", "").lower()


def find_call(cloud: Cloud, request: Request) -> BlobCall | None:
    """Give the call of the blob service that a request is; None for one of Resource Manager."""
    name = named_by(request)
    account = find_account(cloud, name.account) if name else None
    return BlobCall(account, name) if account and name else None


def as_storage_answers(error: ArmError) -> Answer:
    """Give the answer of the blob service for an error that a fault rule brings about."""
    return StorageError(error.status, error.code, error.message, error.headers).answer()


def _unsupported(request: Request) -> StorageError:
    return StorageError(
        400,
        "InvalidQueryParameterValue",
        "Value for one of the query parameters specified in the request URI is invalid: the local Azure has no "
        f"{request.method} with comp={request.query.get('comp', '')} here.",
    )
