"""Lists of containers and blobs, a page at a time. Source: Azure Storage, "List Containers" and "List Blobs"."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from verified_images.emulator.storage.blob_names import blob_endpoint
from verified_images.emulator.storage.blob_records import blobs_in, containers_in, file_of, find_container
from verified_images.emulator.storage.storage_errors import VERSION, StorageError
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_MOST = 5000
_SHOWN = (
    "Last-Modified",
    "ETag",
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-MD5",
    "Cache-Control",
    "Content-Disposition",
)
_NAMED = {"x-ms-blob-type": "BlobType", "x-ms-lease-status": "LeaseStatus", "x-ms-lease-state": "LeaseState"}
_COPIED = {
    "x-ms-copy-id": "CopyId",
    "x-ms-copy-status": "CopyStatus",
    "x-ms-copy-source": "CopySource",
    "x-ms-copy-progress": "CopyProgress",
    "x-ms-copy-completion-time": "CopyCompletionTime",
    "x-ms-copy-status-description": "CopyStatusDescription",
}


def list_containers(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a List Containers."""
    del name
    with_metadata = "metadata" in request.query.get("include", "")
    items = {each.id.name: _container(each, with_metadata=with_metadata) for each in containers_in(cloud, account)}
    return _page(request, account, None, "Containers", items)


def list_blobs(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a List Blobs, with folders where a delimiter is given."""
    container = find_container(cloud, account, name)
    include = request.query.get("include", "").split(",")
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    items: dict[str, str] = {}
    for each in blobs_in(cloud, container.id):
        called = str(each.hidden["blob"]["name"])
        if not called.startswith(prefix):
            continue
        rest = called.removeprefix(prefix)
        if delimiter and delimiter in rest:
            folder = prefix + rest.partition(delimiter)[0] + delimiter
            items[folder] = f"<BlobPrefix>{_element('Name', folder)}</BlobPrefix>"
        else:
            items[called] = _blob(each, include)
    return _page(request, account, name.container, "Blobs", items)


def _page(request: Request, account: Resource, container: str | None, noun: str, items: Mapping[str, str]) -> Answer:
    prefix, marker = request.query.get("prefix", ""), request.query.get("marker", "")
    most = _most(request.query.get("maxresults", ""))
    names = [called for called in items if called.startswith(prefix) and called >= marker]
    shown, rest = names[: most or _MOST], names[most or _MOST :]
    asked = {
        "Prefix": prefix,
        "Marker": marker,
        "MaxResults": str(most or ""),
        "Delimiter": request.query.get("delimiter"),
    }
    head = "".join(_element(key, value) for key, value in asked.items() if value)
    listed = "".join(items[each] for each in shown)
    where = f"ServiceEndpoint={quoteattr(blob_endpoint(account.id.name, request.base_url))}"
    if container is not None:
        where += f" ContainerName={quoteattr(container)}"
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults {where}>{head}<{noun}>{listed}</{noun}>'
        f"{_element('NextMarker', rest[0] if rest else '')}</EnumerationResults>"
    )
    return Answer(200, body.encode(), {"Content-Type": "application/xml", "x-ms-version": VERSION})


def _most(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or not int(text) >= 1:
        raise StorageError(
            400,
            "OutOfRangeQueryParameterValue",
            "A query parameter specified in the request URI is outside the permissible range. (maxresults)",
        )
    return min(int(text), _MOST)


def _container(container: Resource, *, with_metadata: bool) -> str:
    facts = container.hidden["container"]
    properties = {"Last-Modified": facts["changed"], "Etag": facts["etag"], "LeaseStatus": "unlocked"}
    properties["LeaseState"] = "available"
    listed = "".join(_element(key, value) for key, value in properties.items())
    metadata = _metadata(facts["metadata"]) if with_metadata else ""
    return f"<Container>{_element('Name', container.id.name)}<Properties>{listed}</Properties>{metadata}</Container>"


def _blob(blob: Resource, include: Sequence[str]) -> str:
    facts, file = blob.hidden["blob"], file_of(blob)
    size, headers = file.facts()
    named = _NAMED | (_COPIED if "copy" in include else {})
    properties = {
        "Creation-Time": facts["made"],
        "Content-Length": str(size),
        **{key if key != "ETag" else "Etag": headers[key] for key in _SHOWN if key in headers},
        **{name: headers[key] for key, name in named.items() if key in headers},
        "ServerEncrypted": "true",
    }
    listed = "".join(_element(key, value.strip('"') if key == "Etag" else value) for key, value in properties.items())
    metadata = _metadata(facts["metadata"]) if "metadata" in include else ""
    return f"<Blob>{_element('Name', facts['name'])}<Properties>{listed}</Properties>{metadata}</Blob>"


def _metadata(values: Mapping[str, str]) -> str:
    return f"<Metadata>{''.join(_element(key, value) for key, value in values.items())}</Metadata>"


def _element(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else f"<{name} />"
