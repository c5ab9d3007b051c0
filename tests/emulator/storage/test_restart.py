"""Blobs are there again after the local Azure was started anew, and nothing half copied stays pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.emulator.storage.conftest import opened_storage
from verified_images.emulator import Options
from verified_images.emulator.storage.blob_copies import OPERATION
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path


def test_blobs_outlive_the_local_azure_and_copies_do_not(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache, timing=Timing({OPERATION: 30}))
    with opened_storage(tmp_path, options) as storage, storage.service() as service:
        container = service.create_container("vhds")
        container.upload_blob("a", b"hello")
        blob = container.get_blob_client("b")
        assert blob.start_copy_from_url(container.get_blob_client("a").url)["copy_status"] == "pending"
    (tmp_path / "blobs" / "stray.blob").touch()
    with opened_storage(tmp_path, options) as storage:
        with storage.service() as service:
            assert service.get_blob_client("vhds", "a").download_blob().readall() == b"hello"
            copy = service.get_blob_client("vhds", "b").get_blob_properties().copy
            assert copy.status == "failed"
            assert "The local Azure was stopped." in str(copy.status_description)
        assert not (tmp_path / "blobs" / "stray.blob").exists()
        storage.call("DELETE")
        assert list((tmp_path / "blobs").glob("*")) == []
