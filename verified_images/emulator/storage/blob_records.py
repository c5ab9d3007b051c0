"""Containers and blobs as they are kept: resources under their account, and the files of the blobs' bytes."""

from __future__ import annotations

import re
import uuid
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.storage.blob_names import BLOB_TYPE, CONTAINER_TYPE, blob_id, container_id
from verified_images.emulator.storage.page_blobs import PageBlob
from verified_images.emulator.storage.storage_errors import StorageError, not_found
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.wire import Request

FOLDER = "blobs"
_METADATA = "x-ms-meta-"
_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTENT_HEADERS = ("Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control")
_COPY_HEADERS = ("id", "status", "source", "progress", "completion-time", "status-description")


def new_file(cloud: Cloud) -> Path:
    """Give a path for the bytes of a blob or of a block."""
    folder = cloud.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{uuid.uuid4()}.blob"


def find_container(cloud: Cloud, account: Resource, name: BlobName) -> Resource:
    """Give a container.

    Raises:
        StorageError: 404: there is none of that name.
    """
    found = cloud.store.find(container_id(account.id, name.container))
    if found is None:
        raise not_found("container")
    return found


def containers_in(cloud: Cloud, account: Resource) -> list[Resource]:
    """Give the containers of an account, by name."""
    found = cloud.store.select(CONTAINER_TYPE, under=account.id)
    return sorted(found, key=lambda each: each.id.name)


def look_for_blob(cloud: Cloud, account: Resource, name: BlobName) -> Resource | None:
    """Give a blob, with or without content; None where there is none of that name, or where a machine's disk is."""
    found = cloud.store.find(blob_id(account.id, name.container, name.blob))
    return found if found and "blob" in found.hidden else None


def find_blob(cloud: Cloud, account: Resource, name: BlobName) -> Resource:
    """Give a blob that has content.

    Raises:
        StorageError: 404: its container is not there, or it is not.
    """
    find_container(cloud, account, name)
    found = look_for_blob(cloud, account, name)
    if found is None or not found.hidden["blob"]["file"]:
        raise not_found("blob")
    return found


def blobs_in(cloud: Cloud, container: ResourceId) -> list[Resource]:
    """Give the blobs of a container that have content, by name."""
    found = [each for each in cloud.store.select(under=container) if (each.hidden.get("blob") or {}).get("file")]
    return sorted(found, key=lambda each: str(each.hidden["blob"]["name"]))


def new_container(account: Resource, name: BlobName, metadata: dict[str, str]) -> Resource:
    """Give a container that is not kept yet."""
    identifier = container_id(account.id, name.container)
    facts = {"metadata": metadata, "changed": formatdate(usegmt=True), "etag": f'"0x{uuid.uuid4().hex[:15].upper()}"'}
    return Resource(identifier, _body(identifier, CONTAINER_TYPE), {"container": facts})


def new_blob(account: Resource, name: BlobName, kind: str) -> Resource:
    """Give a blob without content that is not kept yet; ``kind`` is ``BlockBlob`` or ``PageBlob``."""
    identifier = blob_id(account.id, name.container, name.blob)
    facts: dict[str, Any] = {
        "name": name.blob,
        "type": kind,
        "file": "",
        "headers": {},
        "metadata": {},
        "made": formatdate(usegmt=True),
        "blocks": [],
        "staged": [],
        "copy": {},
    }
    return Resource(identifier, _body(identifier, BLOB_TYPE), {"blob": facts})


def _body(identifier: ResourceId, kind: str) -> dict[str, Any]:
    return {"id": str(identifier), "name": identifier.name, "type": kind, "properties": {}}


def file_of(blob: Resource) -> PageBlob:
    """Give a blob's content, with the headers that tell of it."""
    facts = blob.hidden["blob"]
    copy = {f"x-ms-copy-{key}": str(facts["copy"][key]) for key in _COPY_HEADERS if facts["copy"].get(key)}
    own = {
        **facts["headers"],
        "x-ms-blob-type": facts["type"],
        "x-ms-creation-time": facts["made"],
        **{_METADATA + key: value for key, value in facts["metadata"].items()},
        **copy,
    }
    return PageBlob(Path(facts["file"]), own)


def forget_files(blob: Resource) -> None:
    """Remove the files of a blob that goes away, or that is written anew."""
    facts = blob.hidden.get("blob") or {}
    for file in filter(None, (facts.get("file"), *(block["file"] for block in facts.get("staged") or []))):
        Path(file).unlink(missing_ok=True)


def remove_stray_files(cloud: Cloud) -> None:
    """Delete the files that no blob names: what a killed process left half made."""
    named: set[str] = set()
    for each in cloud.store.select(BLOB_TYPE):
        if facts := each.hidden.get("blob"):
            named |= {facts["file"], *(block["file"] for block in facts["staged"])}
    for file in (cloud.folder / FOLDER).glob("*"):
        if str(file) not in named:
            file.unlink()


def metadata_in(request: Request) -> dict[str, str]:
    """Give the metadata that a call has in its headers.

    Raises:
        StorageError: 400: a name is none that metadata may have.
    """
    given = {name: value for name, value in request.headers.items() if name.startswith(_METADATA)}
    found = {name.removeprefix(_METADATA): value for name, value in given.items()}
    if not all(map(_METADATA_NAME.fullmatch, found)):
        raise StorageError(
            400, "InvalidMetadata", "The metadata specified is invalid. It has characters that are not permitted."
        )
    return found


def content_headers_in(request: Request, *, of_request: bool) -> dict[str, str]:
    """Give the headers that a blob is to be read with: those for the blob, and the request's own where they count."""
    found = {"Content-Type": "application/octet-stream"}
    for header in _CONTENT_HEADERS:
        own = request.headers.get(header.lower()) if of_request else None
        if value := request.headers.get(f"x-ms-blob-{header.lower()}") or own:
            found[header] = value
    if md5 := request.headers.get("x-ms-blob-content-md5"):
        found["Content-MD5"] = md5
    return found
