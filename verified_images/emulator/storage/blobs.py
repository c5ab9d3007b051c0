"""Blobs: put, read, described, changed and deleted. Source: Azure Storage, "Blobs"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from verified_images.emulator.storage import block_blobs
from verified_images.emulator.storage.blob_copies import abort, begin_copy, check_not_pending, put_pages_from_url
from verified_images.emulator.storage.blob_names import check_blob_name
from verified_images.emulator.storage.blob_records import (
    content_headers_in,
    file_of,
    find_blob,
    find_container,
    forget_files,
    look_for_blob,
    metadata_in,
    new_blob,
    new_file,
)
from verified_images.emulator.storage.page_blobs import PAGE, check_conditions
from verified_images.emulator.storage.storage_errors import (
    VERSION,
    StorageError,
    condition_not_met,
    exists_already,
    invalid_header,
    missing_header,
    wrong_type,
)
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

PAGE_BLOB = "PageBlob"


def put(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Put Blob or a Copy Blob: whatever was there is replaced."""
    check_blob_name(name.blob)
    find_container(cloud, account, name)
    _check_replaceable(request, look_for_blob(cloud, account, name))
    blob, carry_out = _make(cloud, request, account, name)
    try:
        with cloud.store.lock:
            find_container(cloud, account, name)
            before = look_for_blob(cloud, account, name)
            _check_replaceable(request, before)
            cloud.store.put(blob)
    except StorageError:
        forget_files(blob)
        raise
    if before:
        forget_files(before)
    headers = file_of(blob).written()
    if carry_out is None:
        return Answer(201, None, headers)
    copy = blob.hidden["blob"]["copy"]
    answer = Answer(202, None, {**headers, "x-ms-copy-id": copy["id"], "x-ms-copy-status": copy["status"]})
    carry_out()
    return answer


def _make(
    cloud: Cloud, request: Request, account: Resource, name: BlobName
) -> tuple[Resource, Callable[[], None] | None]:
    kind = request.headers.get("x-ms-blob-type", "")
    if "x-ms-copy-source" in request.headers:
        if kind:
            raise _not_emulated("Put Blob From URL")
        return begin_copy(cloud, request, account, name)
    if kind == block_blobs.KIND:
        return block_blobs.put_content(cloud, request, account, name), None
    if kind == PAGE_BLOB:
        return _new_page_blob(cloud, request, account, name), None
    if kind == "AppendBlob":
        raise _not_emulated("AppendBlob")
    raise invalid_header("x-ms-blob-type") if kind else missing_header("x-ms-blob-type")


def _new_page_blob(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Resource:
    size = _page_blob_size(request)
    if request.content:
        raise invalid_header("Content-Length")
    blob, file = new_blob(account, name, PAGE_BLOB), new_file(cloud)
    with file.open("xb"):
        os.truncate(file, size)
    facts = blob.hidden["blob"]
    facts |= {"file": str(file), "metadata": metadata_in(request)}
    facts["headers"] = content_headers_in(request, of_request=False)
    return blob


def _page_blob_size(request: Request) -> int:
    text = request.headers.get("x-ms-blob-content-length", "")
    if not text:
        raise missing_header("x-ms-blob-content-length")
    if not text.isdecimal() or int(text) % PAGE:
        raise invalid_header("x-ms-blob-content-length")
    return int(text)


def _check_replaceable(request: Request, before: Resource | None) -> None:
    check_not_pending(before)
    exists = before is not None and bool(before.hidden["blob"]["file"])
    if exists and before is not None:
        if request.headers.get("if-none-match") == "*":
            raise exists_already("blob")
        check_conditions(request, file_of(before).facts()[1]["ETag"])
    elif request.headers.get("if-match"):
        raise condition_not_met()


def get(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Get Blob, Get Blob Properties or Get Page Ranges."""
    blob = find_blob(cloud, account, name)
    if request.query.get("comp") == "pagelist" and blob.hidden["blob"]["type"] != PAGE_BLOB:
        raise wrong_type()
    return _without_sequence(blob, file_of(blob).read(request))


def get_metadata(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Get Blob Metadata."""
    del request
    headers = file_of(find_blob(cloud, account, name)).facts()[1]
    kept = ("etag", "last-modified", "x-ms-version")
    shown = {key: value for key, value in headers.items() if key.lower() in kept or key.startswith("x-ms-meta-")}
    return Answer(200, None, shown)


def put_pages(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Put Page, or a Put Page From URL."""
    blob = _changeable(cloud, request, account, name)
    if blob.hidden["blob"]["type"] != PAGE_BLOB:
        raise wrong_type()
    if "x-ms-copy-source" in request.headers:
        return put_pages_from_url(cloud, request, account, blob)
    return file_of(blob).write(request)


def set_metadata(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Set Blob Metadata: it takes the place of all that there was."""
    with cloud.store.lock:
        blob = _changeable(cloud, request, account, name)
        blob.hidden["blob"]["metadata"] = metadata_in(request)
        return _changed(cloud, blob)


def set_properties(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Set Blob Properties: the headers to read the blob with, and the length of a page blob."""
    with cloud.store.lock:
        blob = _changeable(cloud, request, account, name)
        facts = blob.hidden["blob"]
        if "x-ms-blob-content-length" in request.headers:
            if facts["type"] != PAGE_BLOB:
                raise wrong_type()
            os.truncate(facts["file"], _page_blob_size(request))
        if any(key.startswith("x-ms-blob-c") and key != "x-ms-blob-content-length" for key in request.headers):
            facts["headers"] = content_headers_in(request, of_request=False)
        return _changed(cloud, blob)


def _changed(cloud: Cloud, blob: Resource) -> Answer:
    cloud.store.put(blob)
    file = file_of(blob)
    os.utime(file.path)  # the ETag and the time of the last change are the file's
    return Answer(200, None, file.written())


def copy_action(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer an Abort Copy Blob."""
    if request.headers.get("x-ms-copy-action", "").lower() != "abort":
        raise invalid_header("x-ms-copy-action")
    with cloud.store.lock:
        return abort(cloud, request, find_blob(cloud, account, name))


def delete(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Delete Blob."""
    with cloud.store.lock:
        blob = _changeable(cloud, request, account, name)
        cloud.store.remove(blob.id)
    forget_files(blob)
    return Answer(202, None, {"x-ms-version": VERSION, "x-ms-delete-type-permanent": "true"})


def _changeable(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Resource:
    blob = find_blob(cloud, account, name)
    check_not_pending(blob)
    check_conditions(request, file_of(blob).facts()[1]["ETag"])
    return blob


def _without_sequence(blob: Resource, answer: Answer) -> Answer:
    if blob.hidden["blob"]["type"] == PAGE_BLOB:
        return answer
    kept = {key: value for key, value in answer.headers.items() if key != "x-ms-blob-sequence-number"}
    return Answer(answer.status, answer.body, kept)


def _not_emulated(what: str) -> StorageError:
    return StorageError(
        501,
        "NotImplemented",
        f"The requested operation is not implemented on the specified resource: the local Azure has no {what}.",
    )
