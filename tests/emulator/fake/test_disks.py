"""Disks and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.fake.hypervisor import FakeHypervisor
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.emulator.fake.conftest import Boot
    from verified_images.emulator.hypervisor import GuestSpec

_GIB = 1024**3


def test_a_disk_has_the_size_of_its_base_or_more(hypervisor: FakeHypervisor, marketplace: Path, state: Path) -> None:
    hypervisor.create_disk(state / "same", base=marketplace, size_bytes=None)
    hypervisor.create_disk(state / "larger", base=marketplace, size_bytes=64 * _GIB)
    hypervisor.create_disk(state / "data", base=None, size_bytes=4 * _GIB)
    sizes = [hypervisor.disk_size(state / name) // _GIB for name in ("same", "larger", "data")]
    assert sizes == [30, 64, 4]
    with pytest.raises(HypervisorError, match="its base has 32212254720 bytes"):
        hypervisor.create_disk(state / "smaller", base=marketplace, size_bytes=_GIB)
    with pytest.raises(HypervisorError, match="needs a size"):
        hypervisor.create_disk(state / "unsized", base=None, size_bytes=None)
    with pytest.raises(HypervisorError, match="exists already"):
        hypervisor.create_disk(state / "same", base=marketplace, size_bytes=None)


def test_the_disk_of_a_running_guest_is_copied(hypervisor: FakeHypervisor, boot: Boot, state: Path) -> None:
    disk = boot().disks[0]
    hypervisor.run_command("vm", "echo 1 >/root/first; rm /etc/fstab", 20)
    hypervisor.freeze_disk(disk, state / "image")
    with pytest.raises(HypervisorError, match="exists already"):
        hypervisor.freeze_disk(disk, state / "image")
    assert hypervisor.run_command("vm", "echo 2 >/root/second; cat /root/first", 20).stdout == "1\n"
    boot("other", base=state / "image")
    assert hypervisor.run_command("other", "cd /root; ls; ls /etc/fstab", 20).stdout == "first\n"
    assert hypervisor.run_command("vm", "cat /root/second", 20).stdout == "2\n"


def test_what_is_written_after_a_freeze_is_not_in_the_image(
    hypervisor: FakeHypervisor, boot: Boot, spec: Callable[..., GuestSpec], state: Path
) -> None:
    disk = boot().disks[0]
    hypervisor.run_command("vm", "echo 1 >/root/first; rm /etc/fstab; mv /etc/apt /etc/moved; sync", 20)
    with pytest.raises(HypervisorError, match="in use by the guest vm"):
        hypervisor.delete_disk(disk)
    hypervisor.stop("vm", graceful=True)
    hypervisor.freeze_disk(disk, state / "image")
    hypervisor.start(spec())
    hypervisor.wait_until_provisioned("vm", 20)
    assert hypervisor.run_command("vm", "cat /root/first; echo 2 >/root/second", 20).stdout == "1\n"
    boot("other", base=state / "image")
    assert hypervisor.run_command("other", "cd /root; ls; ls -d /etc/fstab /etc/apt /etc/moved", 20).stdout == (
        "first\n/etc/moved\n"
    )


def test_an_image_is_not_booted_from(hypervisor: FakeHypervisor, boot: Boot, spec: Callable[..., GuestSpec]) -> None:
    disk = boot().disks[0]
    hypervisor.stop("vm", graceful=True)
    image = disk.with_name("image")
    hypervisor.freeze_disk(disk, image)
    with pytest.raises(HypervisorError, match="the image image is read-only"):
        hypervisor.start(spec("image"))
    hypervisor.create_disk(disk.with_name("empty"), base=None, size_bytes=_GIB)
    with pytest.raises(HypervisorError, match="nothing to boot from"):
        hypervisor.start(spec("empty"))
    with pytest.raises(HypervisorError, match="there is no disk missing"):
        hypervisor.start(spec("missing"))


def test_an_image_may_be_deleted_before_the_disks_on_top_of_it(
    hypervisor: FakeHypervisor, boot: Boot, state: Path
) -> None:
    disk = boot().disks[0]
    hypervisor.run_command("vm", "echo kept >/root/note", 20)
    hypervisor.stop("vm", graceful=True)
    hypervisor.freeze_disk(disk, state / "image")
    instance = boot("instance", base=state / "image").disks[0]
    hypervisor.delete_disk(disk)
    hypervisor.delete_disk(state / "image")
    hypervisor.delete_disk(state / "image")
    assert hypervisor.run_command("instance", "cat /root/note", 20).stdout == "kept\n"
    with pytest.raises(HypervisorError, match="in use by the guest instance"):
        hypervisor.delete_disk(instance)
    hypervisor.stop("instance", graceful=False)
    hypervisor.delete_disk(instance)
    assert [path.name for path in (state / "layers").iterdir()] == ["claims"]
    assert not list((state / "layers" / "claims").iterdir())


def test_disks_are_there_for_the_next_hypervisor(state: Path, cache: Path, spec: Callable[..., GuestSpec]) -> None:
    with_disk = FakeHypervisor(state, cache)
    base = with_disk.marketplace_disk("debian:DEBIAN-12:12", "V1")
    with_disk.create_disk(spec().disks[0], base=base, size_bytes=None)
    with_disk.start(spec())
    with_disk.wait_until_provisioned("vm", 20)
    with_disk.run_command("vm", "echo kept >/root/note", 20)
    with_disk.close()
    heir = FakeHypervisor(state, cache)
    heir.start(spec())
    heir.wait_until_provisioned("vm", 20)
    assert heir.run_command("vm", "cat /root/note", 20).stdout == "kept\n"
    heir.close()


def test_images_that_do_not_exist_are_refused(hypervisor: FakeHypervisor) -> None:
    with pytest.raises(HypervisorError, match="there are: Debian:debian-12:12, Debian:debian-12:12-gen2"):
        hypervisor.marketplace_disk("Canonical:ubuntu:24", "V2")
    with pytest.raises(HypervisorError, match="of generation V1, not V2"):
        hypervisor.marketplace_disk("Debian:debian-12:12", "V2")
