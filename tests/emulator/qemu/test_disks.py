from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.disks import (
    copy_disk,
    create_disk,
    disk_size,
    export_image,
    freeze_disk,
    import_image,
)
from verified_images.emulator.vhd import read_size_of_file

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def _write(disk: Path, text: str, offset: int) -> None:
    pattern = ord(text)
    command = f"write -P {pattern} {offset} 64k"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(disk)], check=True, capture_output=True)


def _holds(disk: Path, text: str, offset: int) -> bool:
    done = subprocess.run(
        ["qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {ord(text)} {offset} 64k", str(disk)],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode == 0 and "verification failed" not in done.stdout


def _backing(disk: Path) -> str | None:
    done = subprocess.run(["qemu-img", "info", "--output=json", str(disk)], check=True, capture_output=True)
    reference: str | None = json.loads(done.stdout).get("backing-filename")
    return reference


def test_an_empty_disk_has_the_size_asked_for_and_is_private(tmp_path: Path) -> None:
    disk = tmp_path / "disks/data.qcow2"
    create_disk(disk, base=None, size_bytes=64 * MIB)
    assert disk_size(disk) == 64 * MIB
    assert disk.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in disk.parent.iterdir()] == ["data.qcow2"]


def test_a_disk_on_top_of_another_sees_it_and_leaves_it_alone(tmp_path: Path) -> None:
    base, disk = tmp_path / "base.qcow2", tmp_path / "disk.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    _write(base, "b", 0)
    create_disk(disk, base=base, size_bytes=None)
    assert disk_size(disk) == 8 * MIB
    _write(disk, "d", MIB)
    assert _holds(disk, "b", 0)
    assert not _holds(base, "d", MIB)


def test_a_disk_may_be_larger_than_its_base(tmp_path: Path) -> None:
    base, disk = tmp_path / "base.qcow2", tmp_path / "disk.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    create_disk(disk, base=base, size_bytes=16 * MIB)
    assert disk_size(disk) == 16 * MIB


def test_a_disk_smaller_than_its_base_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    with pytest.raises(HypervisorError, match=r"disk\.qcow2 of 4194304 bytes is smaller than its source"):
        create_disk(tmp_path / "disk.qcow2", base=base, size_bytes=4 * MIB)


def test_a_disk_with_neither_size_nor_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HypervisorError, match="neither a size nor a base"):
        create_disk(tmp_path / "disk.qcow2", base=None, size_bytes=None)


def test_a_base_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(HypervisorError, match=r"gone\.qcow2"):
        create_disk(tmp_path / "disk.qcow2", base=tmp_path / "gone.qcow2", size_bytes=None)


def test_freezing_moves_the_contents_and_goes_on_above(tmp_path: Path) -> None:
    disk, image = tmp_path / "disks/os.qcow2", tmp_path / "images/v1.qcow2"
    create_disk(disk, base=None, size_bytes=8 * MIB)
    _write(disk, "1", 0)
    inode = disk.stat().st_ino
    freeze_disk(disk, image)
    assert image.stat().st_ino == inode
    assert image.stat().st_mode & 0o222 == 0
    _write(disk, "2", MIB)
    assert _holds(disk, "1", 0)
    assert _holds(image, "1", 0)
    assert not _holds(image, "2", MIB)


def test_a_frozen_disk_still_finds_the_base_that_it_stood_on(tmp_path: Path) -> None:
    base, disk, image = tmp_path / "disks/base.qcow2", tmp_path / "disks/os.qcow2", tmp_path / "images/a/v1.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    _write(base, "b", 0)
    create_disk(disk, base=base, size_bytes=None)
    freeze_disk(disk, image)
    instance = tmp_path / "disks/instance.qcow2"
    create_disk(instance, base=image, size_bytes=None)
    assert _holds(instance, "b", 0)
    assert _holds(disk, "b", 0)


def test_disks_that_are_kept_together_can_be_moved_together(tmp_path: Path) -> None:
    state = tmp_path / "state"
    disk, image = state / "disks/os.qcow2", state / "images/v1.qcow2"
    create_disk(disk, base=None, size_bytes=8 * MIB)
    _write(disk, "1", 0)
    freeze_disk(disk, image)
    shutil.move(state, tmp_path / "elsewhere")
    assert _holds(tmp_path / "elsewhere/disks/os.qcow2", "1", 0)


def test_a_disk_on_a_base_kept_elsewhere_can_be_moved_alone(tmp_path: Path) -> None:
    base, disk = tmp_path / "cache/base-images/base.qcow2", tmp_path / "state/disks/os.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    _write(base, "b", 0)
    create_disk(disk, base=base, size_bytes=None)
    assert _backing(disk) == str(base)
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    shutil.move(disk, tmp_path / "elsewhere/deep/os.qcow2")
    assert _holds(tmp_path / "elsewhere/deep/os.qcow2", "b", 0)


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path) -> None:
    base, disk = tmp_path / "nbd:base.qcow2", tmp_path / "disk.qcow2"
    create_disk(base, base=None, size_bytes=8 * MIB)
    create_disk(disk, base=base, size_bytes=None)
    assert disk_size(disk) == 8 * MIB
    assert _holds(disk, "\0", 0)


def test_a_missing_program_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(HypervisorError, match="apt-get install qemu-utils"):
        disk_size(tmp_path / "disk.qcow2")


def test_a_copy_stands_on_what_the_disk_stood_on(tmp_path: Path) -> None:
    disk, base, copy = tmp_path / "disks/a.qcow2", tmp_path / "images/base.qcow2", tmp_path / "images/copy.qcow2"
    create_disk(disk, base=None, size_bytes=8 * MIB)
    _write(disk, "a", 0)
    freeze_disk(disk, base)
    _write(disk, "b", MIB)
    copy_disk(disk, copy)
    _write(disk, "c", MIB)
    assert (_holds(copy, "a", 0), _holds(copy, "b", MIB)) == (True, True)
    assert _backing(copy) == "./base.qcow2"
    assert copy.stat().st_mode & 0o777 == 0o444


def test_an_image_comes_back_from_its_vhd(tmp_path: Path) -> None:
    disk, image, vhd = tmp_path / "disks/a.qcow2", tmp_path / "images/a.qcow2", tmp_path / "a, b.vhd"
    create_disk(disk, base=None, size_bytes=8 * MIB)
    _write(disk, "a", 3 * MIB)
    freeze_disk(disk, image)
    export_image(image, vhd)
    assert read_size_of_file(vhd) == 8 * MIB
    import_image(vhd, tmp_path / "images/back.qcow2")
    assert _holds(tmp_path / "images/back.qcow2", "a", 3 * MIB)
    assert disk_size(tmp_path / "images/back.qcow2") == 8 * MIB
    vhd.write_bytes(b"no disk")
    with pytest.raises(HypervisorError, match="cookie value"):
        import_image(vhd, tmp_path / "images/none.qcow2")
