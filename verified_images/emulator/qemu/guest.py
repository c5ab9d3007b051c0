"""One running guest: what it can be asked and told, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import CommandOutcome, GuestSpec
    from verified_images.emulator.qemu.command_line import GuestFiles
    from verified_images.emulator.qemu.guest_agent import GuestAgent
    from verified_images.emulator.qemu.monitor import Monitor

_SECONDS_TO_SHUT_DOWN = 90.0
_SECONDS_BETWEEN_PRESSES = 10.0
_SECONDS_TO_QUIT = 10.0
_LAST_LINES = 15

_NOT_YET = 75
# Waits in the guest for a while, so that the host asks seldom; a disk that is booted without a seed has cloud-init disabled.
_WAIT_FOR_CLOUD_INIT = f"""
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ ! -e /run/cloud-init/disabled ] || exit 0
    [ ! -e /run/cloud-init/result.json ] || exec cat /run/cloud-init/result.json
    sleep 0.2
done
exit {_NOT_YET}
"""


class Guest:
    """A guest whose process has been started. Safe to use from any thread."""

    def __init__(
        self,
        spec: GuestSpec,
        files: GuestFiles,
        process: subprocess.Popen[bytes],
        monitor: Monitor,
        agent: GuestAgent,
    ) -> None:
        self.spec = spec
        self._files = files
        self._process = process
        self._monitor = monitor
        self._agent = agent
        self._forwards: dict[int, int] = {}
        self._forwards_lock = threading.Lock()

    def open(self, timeout: float) -> None:
        """Return once QEMU runs the guest.

        Raises:
            MonitorClosedError: QEMU ended, or said nothing within ``timeout`` seconds.
        """
        self._monitor.open(timeout)

    @property
    def is_running(self) -> bool:
        """Whether the guest's process is there; one that has powered itself off has none."""
        return self._process.poll() is None

    def is_agent_ready(self) -> bool:
        """Tell whether the guest agent answers, in a second or two at most."""
        return self.is_running and self._is_agent_listening() and self._agent.answers(timeout=2.0)

    def run_script(self, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root through the guest agent.

        Raises:
            HypervisorError: there is no answer, or the script did not end within ``timeout`` seconds.
        """
        if not self.is_agent_ready():
            raise HypervisorError(f"the agent of the guest {self.spec.name} is not ready")
        return self._agent.run_script(script, timeout)

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
            time.sleep(0.2)
        errors = json.loads(result)["v1"]["errors"] if result else []
        if errors:
            raise HypervisorError(
                f"cloud-init failed in the guest {self.spec.name}: {'; '.join(map(str, errors))}{self._console()}"
            )

    def forward(self, port: int) -> int:
        """Give the port of 127.0.0.1 that leads to the guest's TCP ``port``."""
        with self._forwards_lock:
            if port not in self._forwards:
                self._forwards[port] = self._add_forward(port)
            return self._forwards[port]

    def restart(self) -> None:
        """Restart the guest in place: as its users would, or by the reset line if it does not follow."""
        self._monitor.take_events()
        if self.is_agent_ready():
            self._agent.send("guest-shutdown", mode="reboot")
            deadline = time.monotonic() + _SECONDS_TO_SHUT_DOWN
            while self.is_running and time.monotonic() < deadline:
                if "RESET" in self._monitor.take_events():
                    return
                time.sleep(0.1)
        self._monitor.execute("system_reset")

    def shut_down(self) -> None:
        """Press the power button and wait until the guest has switched itself off, or for too long."""
        deadline = time.monotonic() + _SECONDS_TO_SHUT_DOWN
        # Pressed again, because a guest that is still booting does not notice.
        while self.is_running and time.monotonic() < deadline:
            try:
                self._monitor.execute("system_powerdown")
                self._process.wait(_SECONDS_BETWEEN_PRESSES)
            except subprocess.TimeoutExpired:
                continue
            except HypervisorError:
                return

    def end(self) -> None:
        """End the guest's process, if it is still there, and let go of what belongs to it."""
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_QUIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._monitor.close()
        self._agent.close()
        self._files.record.unlink(missing_ok=True)
        self._files.seed.unlink(missing_ok=True)

    def _is_agent_listening(self) -> bool:
        try:
            ports = self._monitor.execute("query-chardev")
        except HypervisorError:
            return False
        return any(port["label"] == "agent" and port["frontend-open"] for port in ports)

    def _ask_cloud_init(self) -> str | None:
        if not self.is_agent_ready():
            return None
        try:
            outcome = self._agent.run_script(_WAIT_FOR_CLOUD_INIT, timeout=30)
        except HypervisorError:
            return None  # custom data may restart the guest
        return None if outcome.exit_code == _NOT_YET else outcome.stdout

    def _add_forward(self, port: int) -> int:
        address = self.spec.network.address
        refusal = self._monitor.run_human_command(f"hostfwd_add net tcp:127.0.0.1:0-{address}:{port}").strip()
        table = self._monitor.run_human_command("info usernet")
        found = re.search(
            rf"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+{re.escape(address)}\s+{port}\s", table
        )
        if refusal or not found:
            raise HypervisorError(f"port {port} of the guest {self.spec.name} could not be forwarded: {refusal}")
        return int(found[1])

    def _console(self) -> str:
        log = self._files.serial_log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        return "; its console ended with: " + " / ".join(lines[-_LAST_LINES:])
