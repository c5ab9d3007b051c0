from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.emulator.qemu.guests import make_spec
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu import guest as guest_module
from verified_images.emulator.qemu.guest import Guest

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.qemu.qemu_process import QemuProcess

TIMER_PANIC = (
    "[    0.036000] ---[ end Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug ]---\n"
)


class Boot:
    """A process of QEMU whose guest writes ``says`` to its console; it is provisioned if it has not panicked."""

    def __init__(self, serial_log: Path, says: str) -> None:
        with serial_log.open("a") as log:
            log.write(says)
        self.is_running = True
        self.panicked = "panic" in says
        self.monitor = SimpleNamespace(execute=self.execute)
        self.agent = SimpleNamespace(read_file=self.read_file)
        self._over = threading.Event()
        self._resets = False

    def execute(self, command: str) -> None:
        self._resets = command == "system_reset"
        self.end()

    def is_agent_listening(self) -> bool:
        return not self.panicked

    def read_file(self, path: str) -> str | None:
        return '{"v1": {"errors": []}}' if path.endswith("result.json") else None

    def wait_for_reset(self) -> bool:
        self._over.wait()
        return self._resets

    def end(self) -> None:
        self.is_running = False
        self._over.set()


def start_guest(serial_log: Path, console: list[str]) -> Guest:
    """Start a guest whose boots write the lines of ``console``, one after the other."""
    serial_log.touch()
    boots = iter(console)
    return Guest(make_spec(), serial_log, lambda _: cast("QemuProcess", Boot(serial_log, next(boots))))


@pytest.fixture(autouse=True)
def _questions_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_module, "_SECONDS_BETWEEN_QUESTIONS", 0.02)


def test_a_guest_that_got_no_time_to_count_ticks_is_booted_again(tmp_path: Path) -> None:
    console = [TIMER_PANIC, TIMER_PANIC, "login:\n"]
    guest = start_guest(tmp_path / "serial.log", console)
    guest.wait_until_provisioned(10.0)
    guest.wait_until_provisioned(10.0)
    guest.end()
    assert (tmp_path / "serial.log").read_text().splitlines() == "".join(console).splitlines()


def test_a_guest_that_never_boots_is_not_booted_for_ever(tmp_path: Path) -> None:
    guest = start_guest(tmp_path / "serial.log", [TIMER_PANIC] * 6)
    with pytest.raises(
        HypervisorError, match=r"was not provisioned within 1 s; its console ended with: .*timer doesn't"
    ):
        guest.wait_until_provisioned(1.0)
    guest.end()


def test_another_panic_is_left_as_it_is(tmp_path: Path) -> None:
    guest = start_guest(tmp_path / "serial.log", ["Kernel panic - not syncing: VFS: Unable to mount root fs\n"])
    with pytest.raises(HypervisorError, match="Unable to mount root fs"):
        guest.wait_until_provisioned(0.2)
    guest.end()
