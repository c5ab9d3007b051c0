"""Starting a guest: its files, its sockets, its process."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.command_line import find_firmware, qemu_command
from verified_images.emulator.qemu.guest import Guest
from verified_images.emulator.qemu.guest_agent import GuestAgent
from verified_images.emulator.qemu.monitor import Monitor, MonitorClosedError
from verified_images.emulator.qemu.processes import record_process
from verified_images.emulator.qemu.seed import write_seed

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import GuestSpec
    from verified_images.emulator.qemu.accelerator import Accelerator
    from verified_images.emulator.qemu.command_line import GuestFiles
    from verified_images.emulator.qemu.processes import Spawner

_SECONDS_TO_START = 30.0


def launch_guest(spec: GuestSpec, files: GuestFiles, accelerator: Accelerator, spawner: Spawner) -> Guest:
    """Start a guest and return it once QEMU runs it.

    Raises:
        HypervisorError: QEMU is missing or did not take the guest; the text holds QEMU's own words.
    """
    _prepare(spec, files)
    # Sockets without a name: no one else can open them, and no path can be too long for them.
    monitor, monitor_of_qemu = socket.socketpair()
    agent, agent_of_qemu = socket.socketpair()
    guest = None
    try:
        with closing(monitor_of_qemu), closing(agent_of_qemu):
            fds = (monitor_of_qemu.fileno(), agent_of_qemu.fileno())
            command = qemu_command(spec, files, accelerator, monitor=fds[0], agent=fds[1])
            process = spawner.start(command, log=files.qemu_log, sockets=fds)
        guest = Guest(spec, files, process, Monitor(monitor), GuestAgent(agent))
        record_process(files.record, process.pid)
        guest.open(_SECONDS_TO_START)
    except BaseException as error:
        if guest is not None:
            guest.end()
        monitor.close()
        agent.close()
        if isinstance(error, MonitorClosedError):
            raise HypervisorError(f"the guest {spec.name} could not be started: {_words(files)}") from error
        raise
    return guest


def _prepare(spec: GuestSpec, files: GuestFiles) -> None:
    if shutil.which("qemu-system-x86_64") is None:
        raise HypervisorError(
            "guests need qemu-system-x86_64; install with: apt-get install qemu-system-x86"
        )
    files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.serial_log.unlink(missing_ok=True)
    files.serial_log.touch(mode=0o600)
    if spec.provisioning is not None:
        write_seed(files.seed, spec.provisioning)
    if spec.generation == "V2" and not files.variables.exists():
        shutil.copyfile(find_firmware()[1], files.variables)
        files.variables.chmod(0o600)


def _words(files: GuestFiles) -> str:
    words = files.qemu_log.read_text(encoding="utf-8", errors="replace").strip()
    return words or "QEMU ended without a word"
