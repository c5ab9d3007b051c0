"""Copies: of blobs, and of disks; and what is made of the VHDs that come of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.emulator.storage.test_blobs import MIB, refused
from verified_images.emulator.storage.blob_copies import OPERATION
from verified_images.emulator.timing import Timing
from verified_images.emulator.vhd import FOOTER_SIZE, read_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import BlobClient, ContainerClient

    from tests.emulator.storage.conftest import Storage

GIB = 1024**3


@pytest.fixture
def disk(storage: Storage) -> Iterator[str]:
    """Give the URL under which a disk is read."""
    disks = storage.azure.compute.disks
    body: Any = {
        "location": "westeurope",
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1, "osType": "Linux"},
    }
    disks.begin_create_or_update("g", "d", body).result()
    access: Any = {"access": "Read", "durationInSeconds": 600}
    yield str(disks.begin_grant_access("g", "d", access).result().access_sas)
    disks.begin_revoke_access("g", "d").result()
    disks.begin_delete("g", "d").result()


def _await(blob: BlobClient) -> Any:  # noqa: ANN401 - a model of the SDK
    until = time.monotonic() + 10
    while (properties := blob.get_blob_properties()).copy.status == "pending":
        assert time.monotonic() < until
        time.sleep(0.005)
    return properties


@pytest.fixture
def slow(storage: Storage) -> Iterator[None]:
    """Let copies take a while."""
    operations = storage.cloud.cloud.operations
    before, operations.timing = operations.timing, Timing({OPERATION: 0.5})
    yield
    operations.timing = before


def test_a_disk_is_copied_as_a_vhd_and_disks_and_images_are_made_of_that(
    storage: Storage, vhds: ContainerClient, disk: str
) -> None:
    blob = vhds.get_blob_client("osDisk.vhd")
    begun = blob.start_copy_from_url(disk, metadata={"vi_run": "abc"})
    assert begun["copy_status"] == "pending"
    properties = _await(blob)
    assert (properties.copy.status, properties.copy.id) == ("success", begun["copy_id"])
    size = GIB + FOOTER_SIZE
    assert (properties.size, properties.copy.progress, properties.blob_type) == (size, f"{size}/{size}", "PageBlob")
    assert properties.metadata == {"vi_run": "abc"}
    assert "sig=" not in properties.copy.source
    assert read_size(blob.download_blob(offset=GIB, length=FOOTER_SIZE).readall()) == GIB
    compute = storage.azure.compute
    creation = {"createOption": "Import", "sourceUri": blob.url, "storageAccountId": storage.id}
    body: Any = {"location": "westeurope", "properties": {"creationData": creation, "osType": "Linux"}}
    made: Any = compute.disks.begin_create_or_update("g", "imported", body).result()
    assert made["properties"]["diskSizeGB"] == 1
    os_disk = {"osType": "Linux", "osState": "Generalized", "blobUri": blob.url}
    image: Any = {
        "location": "westeurope",
        "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": os_disk}},
    }
    described: Any = compute.images.begin_create_or_update("g", "i", image).result()
    assert described["properties"]["storageProfile"]["osDisk"]["diskSizeGB"] == 1
    compute.images.begin_delete("g", "i").result()
    compute.disks.begin_delete("g", "imported").result()
    missing: Any = {**body, "properties": {**body["properties"], "creationData": {**creation, "sourceUri": disk + "x"}}}
    with pytest.raises(HttpResponseError, match="cannot be read"):
        compute.disks.begin_create_or_update("g", "not", missing).result()


@pytest.mark.usefixtures("slow")
def test_a_copy_under_way_can_be_aborted_and_nothing_else(vhds: ContainerClient, disk: str) -> None:
    blob = vhds.get_blob_client("disk.vhd")
    begun = blob.start_copy_from_url(disk)
    for call in (blob.delete_blob, lambda: blob.start_copy_from_url(disk), lambda: blob.set_blob_metadata({"a": "1"})):
        assert refused(call) == (409, "PendingCopyOperation")
    assert refused(lambda: blob.abort_copy("11111111-1111-1111-1111-111111111111")) == (409, "CopyIdMismatch")
    blob.abort_copy(begun)
    properties = blob.get_blob_properties()
    assert (properties.copy.status, properties.size) == ("aborted", 0)
    assert refused(lambda: blob.abort_copy(begun)) == (409, "NoPendingCopyOperation")


@pytest.mark.usefixtures("slow")
def test_a_copy_fails_whose_source_is_taken_away(storage: Storage, vhds: ContainerClient, disk: str) -> None:
    blob = vhds.get_blob_client("disk.vhd")
    blob.start_copy_from_url(disk)
    storage.azure.compute.disks.begin_revoke_access("g", "d").result()
    properties = _await(blob)
    assert properties.copy.status == "failed"
    assert "Copy failed when reading the source" in properties.copy.status_description
    assert refused(lambda: blob.start_copy_from_url(disk)) == (403, "CannotVerifyCopySource")


def test_pages_are_put_from_the_url_of_a_disk(vhds: ContainerClient, disk: str) -> None:
    blob = vhds.get_blob_client("pages.vhd")
    blob.create_page_blob(GIB + FOOTER_SIZE)
    blob.upload_pages_from_url(disk, offset=GIB, length=FOOTER_SIZE, source_offset=GIB)
    assert read_size(blob.download_blob(offset=GIB, length=FOOTER_SIZE).readall()) == GIB
    too_far: Any = {"offset": GIB + MIB, "length": FOOTER_SIZE, "source_offset": GIB}
    assert refused(lambda: blob.upload_pages_from_url(disk, **too_far)) == (416, "InvalidPageRange")


def test_a_blob_is_copied_within_its_account(vhds: ContainerClient) -> None:
    vhds.upload_blob("a", b"hello", metadata={"a": "1"})
    blob = vhds.get_blob_client("b")
    blob.start_copy_from_url(vhds.get_blob_client("a").url)
    properties = _await(blob)
    assert (properties.blob_type, properties.metadata, blob.download_blob().readall()) == (
        "BlockBlob",
        {"a": "1"},
        b"hello",
    )
    missing = vhds.get_blob_client("none").url
    assert refused(lambda: blob.start_copy_from_url(missing)) == (404, "CannotVerifyCopySource")
