"""One process of QEMU, with the two sockets through which it and the agent in its guest are spoken to."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.command_line import Sockets, find_firmware, qemu_command
from verified_images.emulator.qemu.guest_agent import GuestAgent
from verified_images.emulator.qemu.monitor import Monitor, MonitorClosedError
from verified_images.emulator.qemu.processes import record_process
from verified_images.emulator.qemu.seed import write_seed
from verified_images.emulator.switch.cards import Wires
from verified_images.emulator.switch.wires import FramedStream

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import GuestSpec
    from verified_images.emulator.qemu.accelerator import Accelerator
    from verified_images.emulator.qemu.command_line import GuestFiles
    from verified_images.emulator.qemu.processes import Spawner
    from verified_images.emulator.switch.switch import Switch

_SECONDS_TO_START = 60.0
# QEMU writes what it holds of its disks before it ends.
_SECONDS_TO_QUIT = 60.0
_RESET_REASONS = ("guest-reset", "host-qmp-system-reset")


@dataclass(frozen=True, slots=True)
class QemuProcess:
    """A QEMU process that has been started."""

    process: subprocess.Popen[bytes]
    monitor: Monitor
    agent: GuestAgent

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def is_agent_listening(self) -> bool:
        """Tell, at once, whether something in the guest has opened the agent's port."""
        try:
            ports = self.monitor.execute("query-chardev")
        except HypervisorError:
            return False
        return any(port["label"] == "agent" and port["frontend-open"] for port in ports)

    def wait_for_reset(self) -> bool:
        """Wait until the process ends and tell whether that was because the guest is to start again."""
        self.process.wait()
        shutdowns = [event["data"] for event in self.monitor.read_last_events() if event["event"] == "SHUTDOWN"]
        return any(shutdown.get("reason") in _RESET_REASONS for shutdown in shutdowns)

    def end(self) -> None:
        """End the process if it is still there, and hang up."""
        self.process.terminate()
        try:
            self.process.wait(_SECONDS_TO_QUIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.monitor.close()
        self.agent.close()


def prepare_files(spec: GuestSpec, files: GuestFiles) -> None:
    """Make what a guest needs beside its disks; its serial log is begun anew, its UEFI variables are kept."""
    files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.serial_log.unlink(missing_ok=True)
    files.serial_log.touch(mode=0o600)
    if spec.provisioning is not None:
        write_seed(files.seed, spec.provisioning)
    if spec.generation == "V2" and not files.variables.exists():
        shutil.copyfile(find_firmware()[1], files.variables)
        files.variables.chmod(0o600)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every guest of a hypervisor is started with."""

    accelerator: Accelerator
    spawner: Spawner
    switch: Switch


def start_qemu(spec: GuestSpec, files: GuestFiles, surroundings: Surroundings) -> QemuProcess:
    """Start a guest and return once QEMU runs it.

    Raises:
        HypervisorError: QEMU is missing or did not take the guest; the text holds QEMU's own words.
    """
    if shutil.which("qemu-system-x86_64") is None:
        raise HypervisorError("guests need qemu-system-x86_64; install with: apt-get install qemu-system-x86")
    # Sockets without a name: no one else can open them, and no path can be too long for them.
    pairs = {field.name: socket.socketpair() for field in fields(Sockets)}
    with ExitStack() as ours, ExitStack() as theirs:
        for own, other in pairs.values():
            ours.enter_context(own)
            theirs.enter_context(other)
        numbers = {name: other.fileno() for name, (_, other) in pairs.items()}
        command = qemu_command(spec, files, surroundings.accelerator, Sockets(**numbers))
        process = surroundings.spawner.start(command, log=files.qemu_log, sockets=tuple(numbers.values()))
        ours.pop_all()
    inlet, outlet, outside = (FramedStream(pairs[name][0]) for name in ("inlet", "outlet", "outside"))
    surroundings.switch.plug(spec.name, spec.network, Wires(inlet, outlet, outside))
    qemu = QemuProcess(process, Monitor(pairs["monitor"][0]), GuestAgent(pairs["agent"][0]))
    try:
        record_process(files.record, process.pid)
        qemu.monitor.open(_SECONDS_TO_START)
    except MonitorClosedError as error:
        qemu.end()
        raise HypervisorError(f"the guest {spec.name} could not be started: {_words(files)}") from error
    except BaseException:
        qemu.end()
        raise
    return qemu


def _words(files: GuestFiles) -> str:
    words = files.qemu_log.read_text(encoding="utf-8", errors="replace").strip()
    return words or "QEMU ended without a word"
