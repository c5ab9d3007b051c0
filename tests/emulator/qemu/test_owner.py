"""Guests whose owner dies, and guests that never boot: QEMU is real, but nothing has to start in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.emulator.qemu.guests import make_provisioning, make_spec
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu import QemuHypervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.qemu

SECONDS = 120.0

OWNER = """
import sys, time
from pathlib import Path
from tests.emulator.qemu.guests import make_provisioning, make_spec
from verified_images.emulator.qemu import QemuHypervisor
state = Path(sys.argv[1])
hypervisor = QemuHypervisor(state, state / "cache")
disk = state / "disks/os.qcow2"
hypervisor.create_disk(disk, base=None, size_bytes=1 << 20)
hypervisor.start(make_spec("orphan", disk, provisioning=make_provisioning(), memory_mib=64))
print(hypervisor.is_running("orphan"), flush=True)
time.sleep(600)
"""


@pytest.fixture
def hypervisor(tmp_path: Path) -> Iterator[QemuHypervisor]:
    hypervisor = QemuHypervisor(tmp_path, tmp_path / "cache")
    yield hypervisor
    hypervisor.close()


@pytest.fixture
def disk(hypervisor: QemuHypervisor, tmp_path: Path) -> Path:
    disk = tmp_path / "disks/os.qcow2"
    hypervisor.create_disk(disk, base=None, size_bytes=1 << 20)
    return disk


def _processes_with(text: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in command and command.startswith(b"qemu-system"):
            found.append(int(process.name))
    return found


def test_a_guest_dies_with_its_owner_and_leaves_no_secrets(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"True\n"
        assert len(_processes_with(str(tmp_path))) == 1
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while _processes_with(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes_with(str(tmp_path)) == []
    seed, record = (tmp_path / "guests/orphan" / name for name in ("seed.img", "process.json"))
    assert seed.exists()
    QemuHypervisor(tmp_path, tmp_path / "cache").close()
    assert not seed.exists()
    assert not record.exists()


def test_a_folder_has_one_hypervisor(hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    with pytest.raises(HypervisorError, match=r"is in use by process \d+"):
        QemuHypervisor(tmp_path, tmp_path / "cache")
    hypervisor.close()
    QemuHypervisor(tmp_path, tmp_path / "cache").close()


def test_a_guest_is_started_once(hypervisor: QemuHypervisor, disk: Path) -> None:
    spec = make_spec("one", disk, memory_mib=64)
    hypervisor.start(spec)
    with pytest.raises(HypervisorError, match="the guest one runs already"):
        hypervisor.start(spec)
    hypervisor.stop("one", graceful=False)
    assert not hypervisor.is_running("one")
    hypervisor.stop("one", graceful=False)
    hypervisor.start(spec)
    assert hypervisor.is_running("one")


def test_what_is_kept_of_a_guest_is_private_and_can_be_forgotten(
    hypervisor: QemuHypervisor, disk: Path, tmp_path: Path
) -> None:
    hypervisor.start(make_spec("one", disk, provisioning=make_provisioning(), generation="V2", memory_mib=64))
    folder = tmp_path / "guests/one"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o077 for file in folder.iterdir() if file.name != "qemu.log"} == {
        "process.json": 0o044,
        "seed.img": 0,
        "serial.log": 0,
        "uefi-variables.fd": 0,
    }
    hypervisor.forget("one")
    assert not folder.exists()
    assert disk.exists()


def test_a_forwarded_port_stays_over_a_reset(hypervisor: QemuHypervisor, disk: Path) -> None:
    hypervisor.start(make_spec("one", disk, memory_mib=64))
    address = hypervisor.forward("one", 22)
    assert hypervisor.forward("one", 22) == address
    assert hypervisor.forward("one", 80) != address
    (before,) = _processes_with(str(disk))
    hypervisor.restart("one")
    deadline = time.monotonic() + SECONDS
    while _processes_with(str(disk)) in ([], [before]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes_with(str(disk)) not in ([], [before])
    assert hypervisor.is_running("one")
    assert hypervisor.forward("one", 22) == address


def test_a_guest_that_qemu_refuses_is_told_in_its_words(hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    with pytest.raises(HypervisorError, match=r"the guest one could not be started: .*gone\.qcow2"):
        hypervisor.start(make_spec("one", tmp_path / "gone.qcow2", memory_mib=64))
    assert not hypervisor.is_running("one")


def _write(hypervisor: QemuHypervisor, pattern: str, offset: int) -> None:
    """Write 4 KiB as the guest would, to the disk that it has at this moment."""
    guest = hypervisor._guests["one"]
    monitor = guest._qemu.monitor
    blocks = [block for block in monitor.execute("query-block") if block.get("inserted")]
    device = next(block["qdev"] for block in blocks if block["inserted"]["node-name"] == guest._os_node)
    told = monitor.run_human_command(f'qemu-io -d {device} "write -P {pattern} {offset} 4k"')
    assert not told.strip(), told


def _holds(disk: Path, *patterns: str) -> bool:
    """Tell whether the disk begins with 4 KiB of each."""
    checks = [f"read -P {pattern} {4096 * place} 4096" for place, pattern in enumerate(patterns)]
    commands = [part for check in checks for part in ("-c", check)]
    done = subprocess.run(["qemu-io", "-r", "-U", *commands, disk], capture_output=True, text=True, check=False)
    assert not done.returncode or "verification failed" in done.stdout, done.stderr
    return not done.returncode


def test_the_disk_of_a_running_guest_is_frozen_below_it(hypervisor: QemuHypervisor, disk: Path, tmp_path: Path) -> None:
    hypervisor.start(make_spec("one", disk, memory_mib=64))
    images = [tmp_path / "images" / f"{number}.qcow2" for number in range(3)]
    for number, image in enumerate(images[:2]):
        _write(hypervisor, str(number + 1), 4096 * number)
        before = disk.stat().st_ino
        hypervisor.freeze_disk(disk, image)
        assert image.stat().st_ino == before != disk.stat().st_ino
        assert image.stat().st_mode & 0o222 == 0
    _write(hypervisor, "3", 8192)
    hypervisor.stop("one", graceful=False)
    hypervisor.start(make_spec("one", disk, memory_mib=64))
    hypervisor.freeze_disk(disk, images[2])
    assert [_holds(image, "1", "2", "3") for image in (*images, disk)] == [False, False, True, True]
    assert _holds(images[0], "1", "0", "0")
    assert _holds(images[1], "1", "2", "0")
    hypervisor.create_disk(tmp_path / "copy.qcow2", base=images[1], size_bytes=None)
    assert sorted(path.name for path in (tmp_path / "disks").iterdir()) == ["os.qcow2"]


def test_a_disk_that_qemu_cannot_put_another_on_stays_as_it_was(
    hypervisor: QemuHypervisor, disk: Path, tmp_path: Path
) -> None:
    hypervisor.start(make_spec("one", disk, memory_mib=64))
    hypervisor._guests["one"]._os_node = "unknown"
    with pytest.raises(HypervisorError, match="QEMU refused blockdev-snapshot"):
        hypervisor.freeze_disk(disk, tmp_path / "images" / "image.qcow2")
    assert hypervisor.is_running("one")
    assert [path.name for path in (tmp_path / "disks").iterdir()] == ["os.qcow2"]
    assert list((tmp_path / "images").iterdir()) == []


def test_the_data_disk_of_a_running_guest_is_copied(hypervisor: QemuHypervisor, disk: Path, tmp_path: Path) -> None:
    data, image = tmp_path / "disks/data.qcow2", tmp_path / "images" / "image.qcow2"
    hypervisor.create_disk(data, base=None, size_bytes=1 << 20)
    hypervisor.start(make_spec("one", disk, data, memory_mib=64))
    hypervisor.freeze_disk(data, image)
    assert hypervisor.is_running("one")
    assert hypervisor.disk_size(image) == hypervisor.disk_size(data)
    hypervisor.create_disk(tmp_path / "copy.qcow2", base=image, size_bytes=None)


def test_a_data_disk_comes_and_stays_over_a_reset(hypervisor: QemuHypervisor, disk: Path, tmp_path: Path) -> None:
    data, other = tmp_path / "disks/data.qcow2", tmp_path / "disks/other.qcow2"
    for path in (data, other):
        hypervisor.create_disk(path, base=None, size_bytes=1 << 20)
    hypervisor.attach_disk("one", data, 0)
    hypervisor.start(make_spec("one", disk, memory_mib=64))
    with pytest.raises(HypervisorError, match=r"gone\.qcow2"):
        hypervisor.attach_disk("one", tmp_path / "gone.qcow2", 5)
    hypervisor.attach_disk("one", data, 5)
    hypervisor.attach_disk("one", other, 5)
    (before,) = _processes_with(str(disk))
    assert _processes_with(str(data)) == []
    hypervisor.restart("one")
    deadline = time.monotonic() + SECONDS
    while _processes_with(str(data)) in ([], [before]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(_processes_with(str(data))) == 1
    assert _processes_with(str(other)) == []


def test_a_guest_that_does_not_run_is_named(hypervisor: QemuHypervisor) -> None:
    for ask in (lambda: hypervisor.forward("none", 22), lambda: hypervisor.run_command("none", "true", 1)):
        with pytest.raises(HypervisorError, match="the guest none is not running"):
            ask()
    assert not hypervisor.is_agent_ready("none")
    assert hypervisor.read_serial_log("none") == b""
