"""One guest: its boots, its console, and what is asked of its agent."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from verified_images.emulator.fake.console import Console
from verified_images.emulator.fake.faults import GuestFault
from verified_images.emulator.fake.provisioning import provisioning_archive
from verified_images.emulator.fake.sandbox import Sandbox
from verified_images.emulator.fake.ssh_server import SshServer
from verified_images.emulator.hypervisor import CommandOutcome, HypervisorError
from verified_images.emulator.qemu.processes import record_process
from verified_images.emulator.switch.cards import Wires
from verified_images.emulator.switch.wires import Tap

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.fake.faults import GuestFault
    from verified_images.emulator.fake.sandbox import RootFileSystem
    from verified_images.emulator.hypervisor import GuestSpec
    from verified_images.emulator.switch.cards import Card
    from verified_images.emulator.switch.switch import Switch

Phase = Literal["off", "booting", "ready"]
_BOOT = "/usr/lib/stand-in/boot"
_SSH_PORT = 22
# The script comes by standard input, so that no process list tells it, and is a file of its own when it runs, so that
# its first line may name its interpreter.
_RUN_SCRIPT = """
script=$(mktemp /run/run-command.XXXXXX) && cat >"$script" && chmod 700 "$script"
cd /root 2>/dev/null
"$script" </dev/null
code=$?
rm -f "$script"
exit $code
"""


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """Where a guest's things lie: its folder, whose owner alone may read it."""

    folder: Path

    @property
    def serial_log(self) -> Path:
        """What the guest wrote to its console."""
        return self.folder / "serial.log"

    @property
    def record(self) -> Path:
        """Which process is the guest's first, while it runs."""
        return self.folder / "init.json"

    @property
    def mount_point(self) -> Path:
        """Where the guest's root is mounted, in its own namespace only."""
        return self.folder / "root"


@dataclass(slots=True)
class _Boot:
    """One run of the guest, from power-on to its end."""

    sandbox: Sandbox
    console: Console
    card: Card | None
    ssh_answers: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)


class Guest:
    """A guest that was started, and may have ended since. ``ssh`` is its SSH server."""

    def __init__(
        self, spec: GuestSpec, root: RootFileSystem, files: GuestFiles, fault: GuestFault, *, switch: Switch
    ) -> None:
        self.spec = spec
        self._switch = switch
        self._root = root
        self._files = files
        self._fault = fault
        self.ssh = SshServer(self)
        self._changed = threading.Condition()
        self._phase: Phase = "off"
        self._boot: _Boot | None = None
        self._threads: list[threading.Thread] = []

    @property
    def is_running(self) -> bool:
        """Whether the guest is on."""
        return self._phase != "off"

    @property
    def is_ready(self) -> bool:
        """Whether the guest's agent answers: its boot is done."""
        return self._phase == "ready"

    @property
    def sandbox(self) -> Sandbox:
        """The guest's namespaces.

        Raises:
            HypervisorError: the guest is off.
        """
        boot = self._boot
        if boot is None:
            raise HypervisorError(f"the guest {self.spec.name} is not running")
        return boot.sandbox

    def power_on(self, *, keep_log: bool = False) -> None:
        """Begin to boot.

        Raises:
            HypervisorError: the guest is on, or no namespaces could be made.
        """
        with self._changed:
            if self._boot is not None:
                raise HypervisorError(f"the guest {self.spec.name} runs already")
            self._files.mount_point.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._files.serial_log.open("ab" if keep_log else "wb"):
                self._files.serial_log.chmod(0o600)
            sandbox = Sandbox.start(self._root, self._files.mount_point, self.spec.network)
            record_process(self._files.record, sandbox.pid)
            card = self._plug(sandbox.tap)
            self._boot = boot = _Boot(sandbox, Console(sandbox.console, self._files.serial_log), card)
            self._phase = "booting"
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            for work in (self._follow_console, self._run_boot):
                thread = threading.Thread(
                    target=work, args=[boot], name=f"{work.__name__}-{self.spec.name}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _plug(self, tap: int | None) -> Card | None:
        if tap is None:
            return None
        wire = Tap(tap)
        return self._switch.plug(self.spec.name, self.spec.network, Wires(wire, wire))

    def power_off(self) -> None:
        """End the guest's processes, and return when they are gone; a guest that is off stays off."""
        with self._changed:
            if boot := self._boot:
                boot.stopping.set()
                boot.sandbox.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def wait_until_ready(self, timeout: float) -> None:
        """Return once the boot is done.

        Raises:
            HypervisorError: it was not within ``timeout`` seconds, or the guest ended.
        """
        name = self.spec.name
        with self._changed:
            if not self._changed.wait_for(lambda: self._phase != "booting", timeout):
                raise HypervisorError(f"the guest {name} was not provisioned within {timeout:.0f} s")
            if self._phase == "off":
                raise HypervisorError(f"the guest {name} ended before it was provisioned")

    def read_serial_log(self) -> bytes:
        """Give what the guest has written to its console up to now."""
        if boot := self._boot:
            boot.console.catch_up()
        return self._files.serial_log.read_bytes()

    def run_script(self, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root.

        Raises:
            HypervisorError: the agent does not answer, or the script did not end within ``timeout`` seconds.
        """
        if not self.is_ready:
            raise HypervisorError(f"the agent of the guest {self.spec.name} does not answer")
        try:
            outcome = self.sandbox.run("/bin/sh", "-c", _RUN_SCRIPT, stdin=script.encode(), timeout=timeout)
        except subprocess.TimeoutExpired:
            # Without its cause, whose text holds what the script wrote.
            raise HypervisorError(
                f"a script run by the agent of the guest {self.spec.name} did not end within {timeout:.0f} s"
            ) from None
        return CommandOutcome(
            outcome.returncode, outcome.stdout.decode(errors="replace"), outcome.stderr.decode(errors="replace")
        )

    def accepts(self, port: int, *, from_inside: bool = False) -> bool:
        """Tell whether a connection to the guest's TCP ``port`` is answered, from outside or by its SSH server."""
        boot = self._boot
        if boot is None or (port == _SSH_PORT and not boot.ssh_answers):
            return False
        own = {self.spec.network.address} | ({"127.0.0.1"} if from_inside else set())
        return boot.sandbox.listens(port, frozenset(own))

    def _run_boot(self, boot: _Boot) -> None:
        if boot.stopping.wait(self._fault.boot_seconds):
            return
        # A guest that ends while it boots is told of by its console's thread.
        with contextlib.suppress(HypervisorError):
            self._boot_up(boot)

    def _boot_up(self, boot: _Boot) -> None:
        # Setting the host name and nothing else needs what the guest's own processes have given up.
        early = boot.sandbox.run(_BOOT, "early", stdin=provisioning_archive(self.spec.provisioning), may_mount=True)
        if early.returncode != 0:
            self._log(b"boot failed: " + early.stderr + b"\n")
            return
        boot.ssh_answers = not self._fault.refuses_ssh
        if self._fault.never_provisioned:
            return
        late = boot.sandbox.run(_BOOT, "late")
        if late.returncode != 0:
            self._log(b"boot failed: " + late.stderr + b"\n")
            return
        with self._changed:
            if self._boot is boot:
                self._phase = "ready"
                self._changed.notify_all()

    def _follow_console(self, boot: _Boot) -> None:
        boot.console.follow()
        code = boot.sandbox.wait()
        if boot.card:
            self._switch.unplug(boot.card)
        self._files.record.unlink(missing_ok=True)
        boot.ssh_answers = False
        self.ssh.disconnect()
        with self._changed:
            self._boot = None
            if code != -signal.SIGHUP or boot.stopping.is_set() or not self._boots_again():
                self._phase = "off"
            self._changed.notify_all()
        if not self.is_running:
            self.ssh.disconnect()  # who connected since the first time found it running still

    def _boots_again(self) -> bool:
        try:
            self.power_on(keep_log=True)
        except HypervisorError as error:
            self._log(f"reboot failed: {error}\n".encode())
            return False
        return True

    def _log(self, text: bytes) -> None:
        with self._files.serial_log.open("ab") as log:
            log.write(text)
