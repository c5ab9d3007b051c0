"""Containers: made, listed, described and deleted. All are private. Source: Azure Storage, "Containers"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.storage.blob_names import check_container_name, container_id
from verified_images.emulator.storage.blob_records import (
    blobs_in,
    find_container,
    forget_files,
    metadata_in,
    new_container,
)
from verified_images.emulator.storage.storage_errors import VERSION, StorageError, exists_already
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


def create(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Create Container."""
    check_container_name(name.container)
    if request.headers.get("x-ms-blob-public-access"):
        raise StorageError(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")
    with cloud.store.lock:
        if cloud.store.find(container_id(account.id, name.container)):
            raise exists_already("container")
        container = new_container(account, name, metadata_in(request))
        cloud.store.put(container)
    return Answer(201, None, _described(container))


def describe(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Get Container Properties, Get Container Metadata or Get Container ACL."""
    container = find_container(cloud, account, name)
    facts = container.hidden["container"]
    metadata = {f"x-ms-meta-{key}": value for key, value in facts["metadata"].items()}
    headers = _described(container) | metadata
    if request.query.get("comp") == "acl":
        body = b'<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers />'
        return Answer(200, body, {**headers, "Content-Type": "application/xml"})
    leased = {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"}
    return Answer(200, None, {**headers, **leased, "x-ms-has-immutability-policy": "false"})


def set_metadata(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Set Container Metadata."""
    with cloud.store.lock:
        find_container(cloud, account, name)
        container = new_container(account, name, metadata_in(request))
        cloud.store.put(container)
    return Answer(200, None, _described(container))


def delete(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Delete Container."""
    del request
    remove(cloud, find_container(cloud, account, name))
    return Answer(202, None, {"x-ms-version": VERSION})


def remove(cloud: Cloud, container: Resource) -> None:
    """Delete a container at once, with all blobs in it; the disks of machines hold it.

    Raises:
        StorageError: 412: there is one.
    """
    with cloud.store.lock:
        inside = cloud.store.select(under=container.id)
        if any(each.body.get("managedBy") for each in inside):
            raise StorageError(
                412, "LeaseIdMissing", "There is currently a lease on the container and no lease ID was specified."
            )
        blobs = blobs_in(cloud, container.id)
        for each in (*inside, container):
            cloud.store.remove(each.id)
    for blob in blobs:
        forget_files(blob)


def _described(container: Resource) -> dict[str, str]:
    facts = container.hidden["container"]
    return {"ETag": facts["etag"], "Last-Modified": facts["changed"], "x-ms-version": VERSION}
