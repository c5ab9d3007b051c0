"""Blobs and containers, through Microsoft's own client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobType, ContentSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.storage.blob import ContainerClient

    from tests.emulator.storage.conftest import Storage

KIB = 1024
MIB = KIB**2


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as caught:
        call()
    response: Any = caught.value.response
    return response.status_code, str(response.headers["x-ms-error-code"])


def test_containers_are_made_listed_described_and_deleted(storage: Storage, vhds: ContainerClient) -> None:
    with storage.service() as service:
        service.create_container("logs", metadata={"team": "platform"})
        assert [each.name for each in service.list_containers()] == ["logs", "vhds"]
        assert [each.name for each in service.list_containers(results_per_page=1)] == ["logs", "vhds"]
        assert [each.name for each in service.list_containers(name_starts_with="v")] == ["vhds"]
        logs = service.get_container_client("logs")
        properties = logs.get_container_properties()
        assert (properties.metadata, properties.public_access) == ({"team": "platform"}, None)
        logs.set_container_metadata({"team": "images"})
        assert logs.get_container_properties().metadata == {"team": "images"}
        assert refused(lambda: service.create_container("logs")) == (409, "ContainerAlreadyExists")
        assert refused(lambda: service.create_container("No_Good")) == (400, "InvalidResourceName")
        assert refused(lambda: service.create_container("open", public_access="blob")) == (
            409,
            "PublicAccessNotPermitted",
        )
        logs.delete_container()
        assert not logs.exists()
        assert vhds.exists()
        assert refused(logs.delete_container) == (404, "ContainerNotFound")


def test_containers_are_resources_too(storage: Storage, vhds: ContainerClient) -> None:
    containers = "/blobServices/default/containers"
    made = storage.call("PUT", f"{containers}/logs", {"properties": {"publicAccess": "None"}})
    assert (made.status_code, made.json()["name"]) == (201, "logs")
    assert made.json()["type"] == "Microsoft.Storage/storageAccounts/blobServices/containers"
    assert storage.call("PUT", f"{containers}/logs", {}).status_code == 200
    assert [each["name"] for each in storage.call("GET", containers).json()["value"]] == ["logs", "vhds"]
    assert storage.call("GET", f"{containers}/vhds").json()["properties"]["publicAccess"] == "None"
    with storage.service() as service:
        service.get_blob_client("logs", "a").upload_blob(b"hello")
    assert storage.call("DELETE", f"{containers}/logs").status_code == 200
    assert storage.call("DELETE", f"{containers}/logs").status_code == 204
    assert storage.call("GET", f"{containers}/logs").json()["error"]["code"] == "ContainerNotFound"
    opened = storage.call("PUT", f"{containers}/open", {"properties": {"publicAccess": "Blob"}})
    assert (opened.status_code, opened.json()["error"]["code"]) == (409, "PublicAccessNotPermitted")
    assert storage.call("PUT", f"{containers}/No", {}).json()["error"]["code"] == "OutOfRangeInput"
    missing = storage.call("PUT", f"{containers}/logs", {}, name="nowhere")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ParentResourceNotFound")
    assert vhds.exists()


def test_a_block_blob_is_put_read_in_ranges_changed_and_deleted(vhds: ContainerClient) -> None:
    blob = vhds.get_blob_client("a folder/Größe #1?.txt")
    settings = ContentSettings(content_type="text/plain", cache_control="no-store")
    blob.upload_blob(b"hello, world", metadata={"Vi_Run": "abc"}, content_settings=settings)
    assert blob.download_blob().readall() == b"hello, world"
    assert blob.download_blob(offset=7, length=5).readall() == b"world"
    properties = blob.get_blob_properties()
    assert (properties.size, properties.blob_type, properties.etag is not None) == (12, BlobType.BLOCKBLOB, True)
    assert properties.content_settings.content_type == "text/plain"
    assert properties.content_settings.cache_control == "no-store"
    assert {name.lower(): value for name, value in properties.metadata.items()} == {"vi_run": "abc"}
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"other")
    blob.upload_blob(b"other", overwrite=True)
    assert blob.download_blob().readall() == b"other"
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(etag=properties.etag, match_condition=MatchConditions.IfNotModified)
    blob.set_blob_metadata({"a_b": "2", "a1": "1"})
    blob.set_http_headers(ContentSettings(content_type="text/html"))
    changed = blob.get_blob_properties()
    assert (changed.metadata, changed.content_settings.content_type) == ({"a1": "1", "a_b": "2"}, "text/html")
    blob.delete_blob()
    assert not blob.exists()
    assert refused(blob.delete_blob) == (404, "BlobNotFound")
    assert refused(lambda: vhds.get_blob_client("x").download_blob()) == (404, "BlobNotFound")


def test_an_empty_blob_can_be_read(vhds: ContainerClient) -> None:
    vhds.upload_blob("empty", b"")
    assert vhds.download_blob("empty").readall() == b""


def test_a_large_blob_is_put_in_blocks(storage: Storage, vhds: ContainerClient) -> None:
    content = os.urandom(5 * KIB)
    with storage.service(max_single_put_size=KIB, max_block_size=2 * KIB) as service:
        blob = service.get_blob_client("vhds", "large")
        blob.upload_blob(content)
        assert blob.download_blob().readall() == content
    blob = vhds.get_blob_client("large")
    committed, staged = blob.get_block_list("all")
    assert ([block.size for block in committed], staged) == ([2 * KIB, 2 * KIB, KIB], [])
    blob.stage_block("AAAA", b"new")
    assert blob.download_blob(offset=0, length=3).readall() == content[:3]
    blob.commit_block_list([BlobBlock("AAAA"), committed[2]])
    assert blob.download_blob().readall() == b"new" + content[4 * KIB :]
    assert refused(lambda: blob.commit_block_list([BlobBlock("none")])) == (400, "InvalidBlockList")


def test_a_page_blob_is_written_in_pages(vhds: ContainerClient) -> None:
    blob = vhds.get_blob_client("disk.vhd")
    blob.create_page_blob(MIB, metadata={"a": "1"})
    blob.upload_page(b"x" * 4096, offset=8192, length=4096)
    assert [(each.start, each.end) for each in blob.list_page_ranges()] == [(8192, 12287)]
    assert blob.download_blob(offset=8000, length=400).readall() == bytes(192) + b"x" * 208
    blob.clear_page(offset=8192, length=4096)
    assert blob.download_blob().readall() == bytes(MIB)
    blob.resize_blob(2 * MIB)
    properties = blob.get_blob_properties()
    assert (properties.size, properties.blob_type, properties.metadata) == (2 * MIB, BlobType.PAGEBLOB, {"a": "1"})
    assert refused(lambda: blob.create_page_blob(1000)) == (400, "InvalidHeaderValue")
    assert refused(lambda: blob.upload_page(bytes(512), offset=2 * MIB, length=512)) == (416, "InvalidPageRange")
    assert refused(lambda: blob.stage_block("AAAA", b"new")) == (409, "InvalidBlobType")


def test_blobs_are_listed_a_page_at_a_time_and_by_folder(vhds: ContainerClient) -> None:
    for name in ("b.vhd", "a/2 & more", "a/1", "B.vhd"):
        vhds.upload_blob(name, name.encode(), metadata={"n": name.partition("/")[0]})
    assert [each.name for each in vhds.list_blobs(results_per_page=2)] == ["B.vhd", "a/1", "a/2 & more", "b.vhd"]
    (first, _) = vhds.list_blobs(name_starts_with="a/", include=["metadata", "copy"])
    assert (first.name, first.size, first.metadata) == ("a/1", 3, {"n": "a"})
    assert sorted(each.name for each in vhds.walk_blobs()) == ["B.vhd", "a/", "b.vhd"]
    assert vhds.download_blob("B.vhd").readall() == b"B.vhd"
    with pytest.raises(ResourceNotFoundError):
        vhds.delete_blob("A/1")
