"""A guest's commands touch the guest's tree and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.fake import programs, sandbox
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.fake.conftest import Boot
    from verified_images.emulator.fake.hypervisor import FakeHypervisor
    from verified_images.emulator.hypervisor import GuestSpec


@pytest.fixture
def as_root(hypervisor: FakeHypervisor, boot: Boot) -> Callable[[str], str]:
    boot()

    def run(script: str) -> str:
        outcome = hypervisor.run_command("vm", script, 20)
        return f"{outcome.stdout}{outcome.stderr}"

    return run


def test_no_file_of_the_machine_is_in_sight(as_root: Callable[[str], str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the machine")
    assert as_root(f"ls -a {secret} {tmp_path} 2>&1").count("No such file") == 2
    assert as_root(f"ls -d /proc/1/root{secret} 2>&1").count("No such file") == 1
    # The machine's mounts are gone, not only out of reach of a path.
    assert as_root("cut -d' ' -f2 /proc/mounts | grep -Ev '^/(proc|run|dev)?(/.*)?$' || true") == ""


def test_the_machines_kernel_settings_cannot_be_written(as_root: Callable[[str], str]) -> None:
    before = Path("/proc/sys/vm/swappiness").read_text(encoding="ascii")
    as_root("echo 1 >/proc/sys/vm/swappiness; mount -o remount,rw,bind /proc; umount /proc; umount -l /proc/sys")
    as_root("echo 1 >/proc/sys/vm/swappiness; busybox unshare -U -m -r sh -c 'echo 1 >/proc/sys/vm/swappiness'")
    assert Path("/proc/sys/vm/swappiness").read_text(encoding="ascii") == before
    assert "Read-only" in as_root("echo 1 >/proc/sys/vm/swappiness")


def test_mounting_is_given_up(as_root: Callable[[str], str]) -> None:
    assert "denied" in as_root("mount -t tmpfs none /mnt")
    assert "not permitted" in as_root("umount /dev/null")


def test_only_the_guests_processes_are_seen(as_root: Callable[[str], str]) -> None:
    assert str(os.getpid()) not in as_root("ls /proc").split()
    assert as_root("ps -o comm= -p 1").strip() == "init"


def test_the_network_is_the_guests_own(as_root: Callable[[str], str]) -> None:
    addresses = as_root("ip -o -4 address")
    assert "10.0.0.4/" in addresses
    assert len(addresses.splitlines()) == 2


def test_deleting_everything_deletes_the_guests_files_alone(
    hypervisor: FakeHypervisor, as_root: Callable[[str], str], cache: Path, spec: Callable[..., GuestSpec], boot: Boot
) -> None:
    before = sorted(cache.rglob("*"))
    as_root("rm -rf --no-preserve-root / 2>/dev/null; rm -rf /etc /home /usr /var 2>/dev/null")
    assert sorted(cache.rglob("*")) == before
    assert Path("/etc/passwd").exists()
    with pytest.raises(HypervisorError, match="the disk has no init"):
        hypervisor.restart("vm")
    hypervisor.delete_disk(spec().disks[0])
    boot("next")
    assert hypervisor.run_command("next", "cat /etc/hostname", 20).stdout == "next-host\n"


def test_a_machine_without_user_namespaces_is_told_so(
    hypervisor: FakeHypervisor, boot: Boot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    find_program = programs.find_program
    monkeypatch.setattr(sandbox, "find_program", lambda name: refusing if name == "unshare" else find_program(name))
    with pytest.raises(HypervisorError, match=r"Operation not permitted; guests .* need user namespaces"):
        boot()
    assert not hypervisor.is_running("vm")


def test_a_missing_program_is_named_with_its_package(
    hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(HypervisorError, match=r"need busybox; install with: apt-get install busybox-static"):
        hypervisor.marketplace_disk("Debian:debian-12:12", "V1")
