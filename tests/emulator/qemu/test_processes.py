from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.processes import Spawner, end_recorded_process, record_process

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = """
import sys, time
from pathlib import Path
from verified_images.emulator.qemu.processes import Spawner
spawner = Spawner()
print(spawner.start(["sleep", "600"], log=Path(sys.argv[1]), sockets=()).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _ends(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _is_alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_with_its_owner_however_that_dies(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert _is_alive(pid)
        owner.send_signal(how)
        assert _ends(pid)


def test_a_process_outlives_the_thread_that_asked_for_it_but_not_the_spawner(tmp_path: Path) -> None:
    spawner = Spawner()
    with spawner.start(["sleep", "600"], log=tmp_path / "log", sockets=()) as process:
        time.sleep(0.2)
        assert process.poll() is None
        spawner.close()
        assert process.wait(10) == -signal.SIGKILL


def test_a_closed_spawner_starts_nothing(tmp_path: Path) -> None:
    spawner = Spawner()
    spawner.close()
    with pytest.raises(HypervisorError, match="while the hypervisor closes"):
        spawner.start(["true"], log=tmp_path / "log", sockets=())


def test_what_a_process_says_is_kept(tmp_path: Path) -> None:
    spawner = Spawner()
    with spawner.start(["sh", "-c", "echo out; echo err >&2"], log=tmp_path / "log", sockets=()) as process:
        process.wait(10)
    spawner.close()
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_recorded_process_is_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record = tmp_path / "process.json"
    record_process(record, sleeper.pid)
    assert end_recorded_process(record)
    assert sleeper.wait(10) == -signal.SIGKILL
    assert not record.exists()


@pytest.mark.parametrize("other", [{"started": 1}, {"boot_id": "another boot"}])
def test_another_process_with_the_same_number_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    record = tmp_path / "process.json"
    record_process(record, sleeper.pid)
    record.write_text(json.dumps(json.loads(record.read_text()) | other))
    assert not end_recorded_process(record)
    assert sleeper.poll() is None
    assert not record.exists()


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"pid": "x", "started": 1, "boot_id": ""}'])
def test_a_damaged_record_is_removed(tmp_path: Path, content: str) -> None:
    record = tmp_path / "process.json"
    record.write_text(content)
    assert not end_recorded_process(record)
    assert not record.exists()


def test_a_record_of_a_process_that_has_ended_is_removed(tmp_path: Path) -> None:
    record = tmp_path / "process.json"
    with subprocess.Popen(["sleep", "600"]) as process:
        record_process(record, process.pid)
        os.kill(process.pid, signal.SIGKILL)
    assert not end_recorded_process(record)
    assert not record.exists()
    assert not end_recorded_process(record)
