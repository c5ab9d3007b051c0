"""Copies of blobs: begun by a call, done meanwhile, and told of by the blob's properties.

Source: Azure Storage, "Copy Blob", "Abort Copy Blob" and "Put Page From URL".
"""

from __future__ import annotations

import os
import threading
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from verified_images.emulator.storage.blob_names import BLOB_TYPE, parse_url
from verified_images.emulator.storage.blob_records import file_of, metadata_in, new_blob, new_file
from verified_images.emulator.storage.blob_sources import Source, find_source
from verified_images.emulator.storage.page_blobs import PAGE, parse_range, written_pages
from verified_images.emulator.storage.storage_errors import StorageError, authentication_failed, missing_header
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

OPERATION = f"{BLOB_TYPE}/copy/action"
"""What timings call a copy."""
PENDING = "pending"
_CHUNK = 4 * 1024**2


def source_of(cloud: Cloud, request: Request, account: Resource) -> Source:
    """Give what a call copies from: who may write to an account may copy what else is in it.

    Raises:
        StorageError: 404 or 403 CannotVerifyCopySource.
    """
    url = request.headers["x-ms-copy-source"]
    name = parse_url(url)
    is_own = name is not None and name.account == account.id.name
    try:
        return find_source(cloud, request.base_url, url, client=request.client, is_trusted=is_own)
    except StorageError as error:
        status = 403 if error.status == authentication_failed().status else 404
        raise StorageError(status, "CannotVerifyCopySource", error.message) from error


def begin_copy(
    cloud: Cloud, request: Request, account: Resource, name: BlobName
) -> tuple[Resource, Callable[[], None]]:
    """Give a blob that is a copy under way and not kept yet, and what does it once it is.

    Raises:
        StorageError: 404 or 403: the source cannot be read.
    """
    source = source_of(cloud, request, account)
    blob = new_blob(account, name, source.kind)
    facts, file = blob.hidden["blob"], new_file(cloud)
    try:
        size = source.path.stat().st_size
    except FileNotFoundError as error:
        raise StorageError(404, "CannotVerifyCopySource", "The specified blob does not exist.") from error
    with file.open("xb"):
        os.truncate(file, size)
    shown = request.headers["x-ms-copy-source"].partition("?")[0]
    copy = {"id": str(uuid.uuid4()), "status": PENDING, "source": shown, "progress": f"0/{size}"}
    facts |= {"file": str(file), "headers": dict(source.headers) or {"Content-Type": "application/octet-stream"}}
    facts |= {"metadata": metadata_in(request) or dict(source.metadata), "copy": copy}

    def carry_out() -> None:
        threading.Thread(
            target=_copy, args=(cloud, blob.id, source.path, file), name="copy of a blob", daemon=True
        ).start()

    return blob, carry_out


def abort(cloud: Cloud, request: Request, blob: Resource) -> Answer:
    """Answer an Abort Copy Blob: the blob stays, and is empty."""
    copy = blob.hidden["blob"]["copy"]
    if copy.get("status") != PENDING:
        raise StorageError(409, "NoPendingCopyOperation", "There is currently no pending copy operation.")
    if request.query.get("copyid") != copy["id"]:
        raise StorageError(
            409, "CopyIdMismatch", "The specified copy ID did not match the copy ID for the pending copy operation."
        )
    _end(cloud, blob.id, copy["id"], "aborted")
    return Answer(204, None, {"x-ms-version": file_of(blob).written()["x-ms-version"]})


def put_pages_from_url(cloud: Cloud, request: Request, account: Resource, blob: Resource) -> Answer:
    """Answer a Put Page From URL."""
    start, end = _whole_range(request.headers.get("x-ms-range") or request.headers.get("range"))
    source_start, source_end = _whole_range(request.headers.get("x-ms-source-range"))
    source, file = source_of(cloud, request, account), file_of(blob)
    size, length = file.facts()[0], end - start + 1
    is_whole = not any(each % PAGE for each in (start, length, source_start))
    if not is_whole or length > _CHUNK or length != source_end - source_start + 1 or end >= size or length <= 0:
        raise StorageError(416, "InvalidPageRange", "The page range specified is invalid.")
    with source.path.open("rb") as content:
        content.seek(source_start)
        file.write_at(start, content.read(length).ljust(length, b"\0"))
    return Answer(201, None, file.written())


def _whole_range(text: str | None) -> tuple[int, int]:
    start, end = parse_range(text) if text else (0, None)
    if end is None:
        raise missing_header("x-ms-range, x-ms-source-range")
    return start, end


def check_not_pending(blob: Resource | None) -> None:
    """Refuse to change a blob that is being copied to.

    Raises:
        StorageError: 409.
    """
    if blob is not None and blob.hidden["blob"]["copy"].get("status") == PENDING:
        raise StorageError(409, "PendingCopyOperation", "There is currently a pending copy operation.")


def fail_interrupted(cloud: Cloud) -> None:
    """End the copies that ran when the local Azure was stopped."""
    for blob in cloud.store.select(BLOB_TYPE):
        copy = (blob.hidden.get("blob") or {}).get("copy") or {}
        if copy.get("status") == PENDING:
            _end(cloud, blob.id, copy["id"], "failed", '500 InternalError "The local Azure was stopped."')


def _copy(cloud: Cloud, identifier: ResourceId, source: Path, file: Path) -> None:
    found = cloud.store.find(identifier)
    copy_id = found.hidden["blob"]["copy"]["id"] if found else ""
    if cloud.closing.wait(cloud.operations.timing.of(OPERATION)):
        return
    try:
        size = source.stat().st_size
        with source.open("rb") as read, file.open("r+b") as written:
            for first, last in written_pages(source, 0, size):
                read.seek(first)
                written.seek(first)
                left = last + 1 - first
                while left and (content := read.read(min(left, _CHUNK))):
                    written.write(content)
                    left -= len(content)
        source.stat()
    except OSError:
        _end(cloud, identifier, copy_id, "failed", '403 Forbidden "Copy failed when reading the source."')
        return
    _end(cloud, identifier, copy_id, "success")


def _end(cloud: Cloud, identifier: ResourceId, copy_id: str, status: str, description: str = "") -> None:
    """Note how a copy has ended, unless it has ended already; one that did not succeed leaves an empty blob."""
    with cloud.store.changing(identifier) as blob:
        facts: dict[str, Any] = (blob.hidden.get("blob") or {}) if blob else {}
        copy = facts.get("copy") or {}
        if copy.get("id") != copy_id or copy.get("status") != PENDING:
            return
        total = copy["progress"].partition("/")[2]
        copy |= {"status": status, "completion-time": formatdate(usegmt=True), "status-description": description}
        if status == "success":
            copy["progress"] = f"{total}/{total}"
        else:
            os.truncate(facts["file"], 0)
