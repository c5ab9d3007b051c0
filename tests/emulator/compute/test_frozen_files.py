"""Which files stay when resources go, on the fake hypervisor and with real qcow2 files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION, Estate, Json
from verified_images.emulator.compute.disks.frozen_files import (
    Part,
    files_of,
    grow,
    release,
    remove_strays,
    take_content,
)
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.qemu import disks as qcow2
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator import LocalCloud
    from verified_images.emulator.cloud import Cloud

MEBIBYTE = 1024**2


def test_an_image_outlives_the_machine_and_disk_that_it_was_made_of(estate: Estate) -> None:
    disk = estate.make_generalized().storage_profile.os_disk.name
    image = {"id": estate.make_image().id}
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    estate.compute.disks.begin_delete("g", disk).result()
    assert len(estate.files("images")) == 1
    estate.make_machine("other", storageProfile={"imageReference": image, "osDisk": {"createOption": "FromImage"}})


def test_a_frozen_file_goes_with_its_last_user(estate: Estate) -> None:
    disk = estate.make_generalized().storage_profile.os_disk.name
    image = {"id": estate.make_image().id}
    estate.make_definition()
    estate.make_version(source=image["id"])
    storage = {"imageReference": image, "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}}
    estate.make_machine("other", storageProfile=storage)
    compute = estate.compute
    compute.virtual_machines.begin_delete("g", "vm").result()
    deletions: list[Callable[[], Json]] = [
        lambda: compute.disks.begin_delete("g", disk),
        lambda: compute.images.begin_delete("g", "image"),
        lambda: compute.gallery_image_versions.begin_delete("g", "gallery", "definition", "1.0.0"),
    ]
    for delete in deletions:
        delete().result()
        assert len(estate.files("images")) == 1
        assert "[stdout]\nvm\n" in estate.run("hostname", "other")
    compute.virtual_machines.begin_delete("g", "other").result()
    assert estate.files("images") == []


def test_what_a_frozen_file_stands_on_stays_with_it(estate: Estate) -> None:
    estate.make_generalized()
    first = {"id": estate.make_image("first").id}
    storage = {"imageReference": first, "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}}
    estate.make_machine("second", storageProfile=storage)
    estate.run("echo second > /root/note", "second")
    estate.compute.virtual_machines.begin_deallocate("g", "second").result()
    estate.compute.virtual_machines.generalize("g", "second")
    image = {"id": estate.make_image("second", "second").id}
    disk = estate.compute.virtual_machines.get("g", "vm").storage_profile.os_disk.name
    for name in ("vm", "second"):
        estate.compute.virtual_machines.begin_delete("g", name).result()
    estate.compute.disks.begin_delete("g", disk).result()
    estate.compute.images.begin_delete("g", "first").result()
    assert len(estate.files("images")) == 2
    storage = {"imageReference": image, "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}}
    estate.make_machine("third", storageProfile=storage)
    assert "[stdout]\nsecond\n" in estate.run("cat /root/note", "third")
    estate.compute.virtual_machines.begin_delete("g", "third").result()
    estate.compute.images.begin_delete("g", "second").result()
    assert estate.files("images") == []


# With real disks: whatever the order of deletions, no disk that is left loses what is below it.


class _Qcow2:
    """As much of a hypervisor as disks need, on qcow2 files."""

    def freeze_disk(self, path: Path, image: Path) -> None:
        qcow2.freeze_disk(path, image)

    def create_disk(self, path: Path, *, base: Path | None, size_bytes: int | None) -> None:
        qcow2.create_disk(path, base=base, size_bytes=size_bytes)

    def disk_size(self, path: Path) -> int:
        return qcow2.disk_size(path)

    def delete_disk(self, path: Path) -> None:
        path.unlink(missing_ok=True)


@pytest.fixture
def on_qcow2(local_cloud: LocalCloud, tmp_path: Path) -> Iterator[Cloud]:
    """Give the local Azure with other disks below it: qcow2 files in a folder of their own."""
    if not any(Path(folder, "qemu-img").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("qemu-img is not installed")
    cloud = local_cloud.cloud
    before = cloud.folder, cloud.hypervisor
    object.__setattr__(cloud, "folder", tmp_path)
    object.__setattr__(cloud, "hypervisor", _Qcow2())
    yield cloud
    for resource in cloud.store.select():
        cloud.store.remove(resource.id)
    object.__setattr__(cloud, "folder", before[0])
    object.__setattr__(cloud, "hypervisor", before[1])


def _put(cloud: Cloud, name: str, base: str = "") -> ResourceId:
    """Put a resource into the store: with a disk of its own on top of ``base``, or, without one, an image."""
    identifier = ResourceId.parse(f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/{name}")
    resource = Resource(identifier, {"location": LOCATION, "properties": {"diskSizeGB": 1}})
    if base:
        below = files_of(_get(cloud, base)) if base != "nothing" else []
        resource.hidden = {"path": str(cloud.folder / "disks" / name), "files": below}
        size = None if below else 64 * MEBIBYTE
        path = Path(resource.hidden["path"])
        cloud.hypervisor.create_disk(path, base=Path(below[0]) if below else None, size_bytes=size)
    cloud.store.put(resource)
    return identifier


def _get(cloud: Cloud, name: str) -> Resource:
    found = cloud.store.find(f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/{name}")
    assert found is not None
    return found


def _delete(cloud: Cloud, name: str) -> None:
    resource = _get(cloud, name)
    if path := resource.hidden.get("path"):
        cloud.hypervisor.delete_disk(Path(path))
    release(cloud, resource)
    cloud.store.remove(resource.id)


def _write(cloud: Cloud, name: str, text: str, at: int) -> None:
    path = _get(cloud, name).hidden["path"]
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {ord(text)} {at}M 64k", path], check=True, capture_output=True
    )


def _reads(path: str, text: str, at: int) -> bool:
    command = ["qemu-io", "-U", "-r", "-f", "qcow2", "-c", f"read -P {ord(text)} {at}M 64k", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "Pattern verification failed" not in done.stdout


def _chain(path: str) -> int:
    command = ["qemu-img", "info", "-U", "--backing-chain", "--output=json", path]
    return len(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def _take(cloud: Cloud, source: str, name: str) -> None:
    take_content(cloud, Part(_get(cloud, source).id), _put(cloud, name))


@pytest.mark.parametrize(
    "order",
    [
        ("disk", "first", "instance1", "second", "copy"),
        ("second", "first", "disk", "copy", "instance1"),
        ("instance1", "first", "second", "copy", "disk"),
        ("copy", "second", "instance1", "first", "disk"),
    ],
)
def test_no_order_of_deletions_breaks_a_chain_or_leaves_a_file(on_qcow2: Cloud, order: tuple[str, ...]) -> None:
    cloud = on_qcow2
    _put(cloud, "disk", base="nothing")
    _write(cloud, "disk", "a", 1)
    _take(cloud, "disk", "first")
    _put(cloud, "instance1", base="first")
    _write(cloud, "instance1", "b", 2)
    _take(cloud, "instance1", "second")
    _put(cloud, "copy", base="second")
    _write(cloud, "copy", "c", 3)
    expected = {"disk": "a", "first": "a", "instance1": "ab", "second": "ab", "copy": "abc"}
    for count, name in enumerate(order, 1):
        _delete(cloud, name)
        for left in order[count:]:
            resource = _get(cloud, left)
            path = resource.hidden.get("path") or files_of(resource)[0]
            assert all(_reads(path, text, at) for at, text in enumerate(expected[left], 1)), (name, left)
    assert [path for path in cloud.folder.rglob("*") if path.is_file()] == []


def test_a_grown_disk_keeps_its_content_and_drops_no_more_than_its_top(on_qcow2: Cloud) -> None:
    disk = _put(on_qcow2, "disk", base="nothing")
    _write(on_qcow2, "disk", "a", 1)
    grow(on_qcow2, disk, 128 * MEBIBYTE)
    path = _get(on_qcow2, "disk").hidden["path"]
    assert qcow2.disk_size(Path(path)) == 128 * MEBIBYTE
    assert _reads(path, "a", 1)
    assert _chain(path) == 2
    assert len(list((on_qcow2.folder / "disks").iterdir())) == 1
    _delete(on_qcow2, "disk")
    assert [path for path in on_qcow2.folder.rglob("*") if path.is_file()] == []


def test_a_freeze_that_fails_leaves_all_as_it_was(on_qcow2: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(on_qcow2, "disk", base="nothing")

    def refuse(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(_Qcow2, "freeze_disk", refuse)
    with pytest.raises(RuntimeError):
        _take(on_qcow2, "disk", "image")
    assert files_of(_get(on_qcow2, "disk")) == files_of(_get(on_qcow2, "image")) == []


def test_files_that_nothing_names_are_swept(on_qcow2: Cloud) -> None:
    _put(on_qcow2, "disk", base="nothing")
    _take(on_qcow2, "disk", "image")
    kept = {path for path in on_qcow2.folder.rglob("*") if path.is_file()}
    (on_qcow2.folder / "disks" / "stray.disk").touch()
    (on_qcow2.folder / "images" / ".half.unfinished").touch()
    remove_strays(on_qcow2)
    assert {path for path in on_qcow2.folder.rglob("*") if path.is_file()} == kept
