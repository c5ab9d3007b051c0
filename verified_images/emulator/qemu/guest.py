"""One guest from its start to its end: what it can be asked and told.

QEMU ends when its guest resets, and is started again with the same disks, address and forwarded ports. Without KVM that
is the quicker way by minutes: the code translated before the reset would be looked up at every write to where it stood.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import uuid
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu import disks
from verified_images.emulator.qemu.command_line import OS_NODE, block_node
from verified_images.emulator.qemu.hot_plug import plug, unplug
from verified_images.emulator.qemu.monitor import MonitorClosedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.hypervisor import CommandOutcome, GuestSpec
    from verified_images.emulator.qemu.qemu_process import QemuProcess

# Long, since what a guest has not written yet is lost with its power, and without KVM a busy one is slow to let go.
_SECONDS_TO_SHUT_DOWN = 240.0
_SECONDS_FOR_A_BUSY_AGENT = 30.0
_SECONDS_BETWEEN_PRESSES = 10.0
_LAST_LINES = 15

# Each question costs the guest some milliseconds; a shell that waits in it would fork as it does, which costs more.
_SECONDS_BETWEEN_QUESTIONS = 0.5
_RESULT = "/run/cloud-init/result.json"
_DISABLED = "/run/cloud-init/disabled"
"""Written, before the agent runs, in a guest whose disk was booted without a seed."""

# Linux counts ticks as it boots, and stands still for good where a busy host gave the guest no time meanwhile.
_TIMER_PANIC = "Kernel panic - not syncing: IO-APIC + timer doesn't work"
_TIMER_PANICS_AT_MOST = 5


class Guest:
    """A guest that has been started; ``start_qemu`` starts another process for it. Safe to use from any thread."""

    def __init__(self, spec: GuestSpec, serial_log: Path, start_qemu: Callable[[GuestSpec], QemuProcess]) -> None:
        self.spec = spec
        self._serial_log = serial_log
        self._start_qemu = start_qemu
        self._qemu = start_qemu(spec)
        self._lock = threading.RLock()
        self._os_node = OS_NODE
        self._forwards: dict[int, int] = {}
        self._asked: QemuProcess | None = None
        self._timer_panics = 0
        self._ending = False
        self._over = threading.Event()
        threading.Thread(target=self._follow, name=f"guest-{spec.name}", daemon=True).start()

    @property
    def is_running(self) -> bool:
        """Whether the guest runs, or is just being reset; one that has powered itself off does not."""
        return not self._over.is_set()

    def is_agent_ready(self) -> bool:
        """Tell whether the guest agent answers, in a second or two at most."""
        return self._reaches_agent(timeout=2.0)

    def run_script(self, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root through the guest agent.

        Raises:
            HypervisorError: there is no answer, or the script did not end within ``timeout`` seconds.
        """
        if not self._reaches_agent(_SECONDS_FOR_A_BUSY_AGENT):
            raise HypervisorError(f"the agent of the guest {self.spec.name} is not ready")
        return self._qemu.agent.run_script(script, timeout)

    def wait_until_provisioned(self, timeout: float) -> None:
        """Return once cloud-init is done, at once where it has nothing to do.

        Raises:
            HypervisorError: it reported errors or took longer than ``timeout`` seconds, or the guest ended.
        """
        deadline = time.monotonic() + timeout
        while (result := self._ask_cloud_init()) is None:
            if not self.is_running:
                raise HypervisorError(f"the guest {self.spec.name} ended while it was provisioned{self._console()}")
            if time.monotonic() > deadline:
                raise HypervisorError(
                    f"the guest {self.spec.name} was not provisioned within {timeout:.0f} s{self._console()}"
                )
            self._reset_after_timer_panic()
            time.sleep(_SECONDS_BETWEEN_QUESTIONS)
        errors = json.loads(result)["v1"]["errors"] if result else []
        if errors:
            raise HypervisorError(
                f"cloud-init failed in the guest {self.spec.name}: {'; '.join(map(str, errors))}{self._console()}"
            )

    def forward(self, port: int) -> int:
        """Give the port of 127.0.0.1 that leads to the guest's TCP ``port``."""
        with self._lock:
            if port not in self._forwards:
                self._forwards[port] = self._add_forward(port, 0)
            return self._forwards[port]

    def while_paused(self, work: Callable[[], None]) -> None:
        """Do something while the guest stands still and its disks hold all that it has written.

        Raises:
            HypervisorError: the guest has ended.
        """
        with self._lock:
            monitor = self._qemu.monitor
            monitor.execute("stop")
            try:
                work()
            finally:
                monitor.execute("cont")

    def freeze_os_disk(self, image: Path) -> None:
        """Make of the OS disk, as it is at this moment, the read-only ``image``, which the guest goes on above.

        Raises:
            HypervisorError: the guest has ended, or QEMU refused it; the guest goes on as before.
        """
        with self._lock:
            path = self.spec.disks[0]
            overlay = disks.begin_overlay(path, image)
            try:
                self._go_on_with(overlay)
            except BaseException:
                overlay.unlink()
                raise
            disks.finish_overlay(path, image, overlay)

    def _go_on_with(self, overlay: Path) -> None:
        monitor, name = self._qemu.monitor, f"os-disk-{uuid.uuid4().hex[:8]}"
        # Without a backing file: QEMU puts the one that is open already below it.
        monitor.execute("blockdev-add", **block_node(name, "qcow2", overlay), backing=None)
        try:
            monitor.execute("blockdev-snapshot", node=self._os_node, overlay=name)
        except HypervisorError:
            monitor.execute("blockdev-del", **{"node-name": name})
            raise
        self._os_node = name

    def attach_disk(self, disk: Path, lun: int) -> None:
        """Let the guest have one more data disk, at once and whenever it is reset."""
        with self._lock:
            if not self.is_running or lun in self.spec.data_disks:
                return
            # A process that has just ended is followed by one that has the disk from its start.
            with contextlib.suppress(MonitorClosedError):
                plug(self._qemu.monitor, disk, lun)
            self.spec = self.spec.with_data_disks({**self.spec.data_disks, lun: disk})

    def detach_disk(self, disk: Path) -> None:
        """Take a data disk from the guest, at once and for good."""
        with self._lock:
            luns = [lun for lun, other in self.spec.data_disks.items() if other == disk]
            if not self.is_running or not luns:
                return
            with contextlib.suppress(MonitorClosedError):
                unplug(self._qemu.monitor, disk, luns[0])
            kept = {lun: other for lun, other in self.spec.data_disks.items() if other != disk}
            self.spec = self.spec.with_data_disks(kept)

    def restart(self) -> None:
        """Restart the guest in place: as its users would, or by the reset line if it does not follow."""
        before = self._qemu
        if self._reaches_agent(_SECONDS_FOR_A_BUSY_AGENT):
            before.agent.reboot()
            deadline = time.monotonic() + _SECONDS_TO_SHUT_DOWN
            while self.is_running and time.monotonic() < deadline:
                if self._qemu is not before:
                    return
                time.sleep(0.1)
        before.monitor.execute("system_reset")

    def shut_down(self) -> None:
        """Press the power button and wait until the guest has switched itself off, or for too long."""
        deadline = time.monotonic() + _SECONDS_TO_SHUT_DOWN
        # Pressed again, because a guest that is still booting does not notice.
        while self.is_running and time.monotonic() < deadline:
            try:
                self._qemu.monitor.execute("system_powerdown")
            except HypervisorError:
                time.sleep(0.1)  # the process has ended; whether it is started again is seen in a moment
            else:
                self._over.wait(_SECONDS_BETWEEN_PRESSES)

    def end(self) -> None:
        """End the guest at once."""
        with self._lock:
            self._ending = True
            self._qemu.end()
        self._over.wait()

    def _follow(self) -> None:
        while self._qemu.wait_for_reset() and self._start_again():
            pass
        self._qemu.end()
        self._over.set()

    def _start_again(self) -> bool:
        with self._lock:
            if self._ending:
                return False
            self._qemu.end()
            self._os_node = OS_NODE
            try:
                self._qemu = self._start_qemu(self.spec)
            except HypervisorError:
                return False
            forwards, self._forwards = self._forwards, {}
            for port, host_port in forwards.items():
                with contextlib.suppress(
                    HypervisorError
                ):  # someone else has taken the port; the next caller gets another
                    self._forwards[port] = self._add_forward(port, host_port)
            return True

    def _ask_cloud_init(self) -> str | None:
        """Give cloud-init's result, "" when it is disabled, None while neither is known."""
        qemu = self._qemu
        if not qemu.is_running or not qemu.is_agent_listening():
            return None
        try:
            if qemu is not self._asked:
                if qemu.agent.read_file(_DISABLED) is not None:
                    return ""
                self._asked = qemu
            return qemu.agent.read_file(_RESULT)
        except HypervisorError:
            return None  # custom data may restart the guest

    def _reset_after_timer_panic(self) -> None:
        panics = self._read_serial_log().count(_TIMER_PANIC)
        if self._timer_panics < min(panics, _TIMER_PANICS_AT_MOST):
            self._timer_panics = panics
            with contextlib.suppress(HypervisorError):  # it has ended by itself
                self._qemu.monitor.execute("system_reset")

    def _reaches_agent(self, timeout: float) -> bool:
        qemu = self._qemu
        return qemu.is_running and qemu.is_agent_listening() and qemu.agent.answers(timeout)

    def _add_forward(self, port: int, host_port: int) -> int:
        monitor, address = self._qemu.monitor, self.spec.network.address
        refusal = monitor.run_human_command(f"hostfwd_add net tcp:127.0.0.1:{host_port}-{address}:{port}").strip()
        table = monitor.run_human_command("info usernet")
        found = re.search(rf"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+{re.escape(address)}\s+{port}\s", table)
        if refusal or not found:
            raise HypervisorError(f"port {port} of the guest {self.spec.name} could not be forwarded: {refusal}")
        return int(found[1])

    def _console(self) -> str:
        lines = [line.strip() for line in self._read_serial_log().splitlines() if line.strip()]
        return "; its console ended with: " + " / ".join(lines[-_LAST_LINES:])

    def _read_serial_log(self) -> str:
        return self._serial_log.read_text(encoding="utf-8", errors="replace")
