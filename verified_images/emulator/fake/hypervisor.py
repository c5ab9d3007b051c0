"""The fake hypervisor: guests that boot in milliseconds and yet keep files, run commands and serve SSH and HTTP."""

from __future__ import annotations

import contextlib
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verified_images.emulator.fake.disks import DiskStore, read_disk
from verified_images.emulator.fake.faults import GuestFault
from verified_images.emulator.fake.forwards import Forward, connect_to_service, refuse
from verified_images.emulator.fake.guest import Guest, GuestFiles
from verified_images.emulator.fake.marketplace import base_images, marketplace_disk
from verified_images.emulator.folder_lock import FolderInUseError, lock_folder
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.processes import end_recorded_process
from verified_images.emulator.switch.switch import Switch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.hypervisor import CommandOutcome, Generation, GuestSpec, Router

_SSH_PORT = 22


@dataclass(slots=True)
class _Entry:
    """A guest that was started, and the ports that lead to it, for as long as it is not forgotten."""

    guest: Guest
    forwards: dict[int, Forward] = field(default_factory=dict)


class FakeHypervisor:
    """Runs guests as namespaces; see `verified_images.emulator.hypervisor.Hypervisor` for the promises.

    ``state`` is the folder of this cloud's guests, for one hypervisor at a time; ``cache`` may be shared by all.
    ``progress`` is told what takes long. ``fault`` is asked at each start how the guest shall misbehave.

    Raises:
        HypervisorError: another process uses ``state``.
    """

    def __init__(
        self,
        state: Path,
        cache: Path,
        *,
        progress: Callable[[str], None] | None = None,
        fault: Callable[[GuestSpec], GuestFault] | None = None,
    ) -> None:
        self.fault: Callable[[GuestSpec], GuestFault] = fault or (lambda _: GuestFault())
        self._cache = cache.absolute()
        self._progress = progress or (lambda _: None)
        self._folder = state.absolute() / "guests"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._release = _take(self._folder)
        self._sweep()
        self._disks = DiskStore(state.absolute() / "layers", base_images(self._cache))
        self._lock = threading.RLock()
        self._starting: dict[str, GuestSpec] = {}
        self._entries: dict[str, _Entry] = {}
        self._switch = Switch()

    def route_by(self, router: Router) -> None:
        """Carry from now on what guests send to where ``router`` says, where this machine has TAP devices."""
        self._switch.route_by(router)

    def start(self, spec: GuestSpec) -> None:
        """Start the guest and return once it runs."""
        fault = self.fault(spec)
        if fault.cannot_start:
            raise HypervisorError(fault.cannot_start)
        with self._lock:
            if self.is_running(spec.name) or spec.name in self._starting:
                raise HypervisorError(f"the guest {spec.name} runs already")
            for disk in spec.disks:
                self._check_unused(disk)
            self._starting[spec.name] = spec
        try:
            root = self._disks.root_file_system(spec.disks[0])
            guest = Guest(spec, root, self._files(spec.name), fault, switch=self._switch)
            guest.power_on()
            with self._lock:
                old = self._entries.get(spec.name)
                self._entries[spec.name] = _Entry(guest, old.forwards if old else {})
        finally:
            del self._starting[spec.name]

    def stop(self, name: str, *, graceful: bool) -> None:  # noqa: ARG002 - its disks are never left half written
        """Stop the guest."""
        if entry := self._entries.get(name):
            entry.guest.power_off()

    def restart(self, name: str) -> None:
        """Restart the guest in place."""
        guest = self._running(name)
        guest.power_off()
        guest.power_on(keep_log=True)

    def forget(self, name: str) -> None:
        """Stop the guest and remove what is kept of it, disks excepted."""
        self.stop(name, graceful=False)
        with self._lock:
            entry = self._entries.pop(name, None)
        for forward in entry.forwards.values() if entry else ():
            forward.close()
        shutil.rmtree(self._files(name).folder, ignore_errors=True)

    def is_running(self, name: str) -> bool:
        """Tell whether the guest runs."""
        entry = self._entries.get(name)
        return entry is not None and entry.guest.is_running

    def wait_until_provisioned(self, name: str, timeout: float) -> None:
        """Return once the guest's boot is done."""
        self._running(name).wait_until_ready(timeout)

    def is_agent_ready(self, name: str) -> bool:
        """Tell whether the guest's agent answers."""
        entry = self._entries.get(name)
        return entry is not None and entry.guest.is_ready

    def run_command(self, name: str, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root through the guest's agent."""
        return self._running(name).run_script(script, timeout)

    def read_serial_log(self, name: str) -> bytes:
        """Give what the guest has written to its serial console since its last start."""
        if entry := self._entries.get(name):
            return entry.guest.read_serial_log()
        log = self._files(name).serial_log
        return log.read_bytes() if log.exists() else b""

    def forward(self, name: str, port: int) -> tuple[str, int]:
        """Give a host address that leads to the guest's TCP ``port``.

        A connection to it is reset while nothing listens in the guest.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                raise HypervisorError(f"there is no guest {name}")
            if port not in entry.forwards:

                def serve(connection: socket.socket) -> None:
                    self._serve(name, port, connection)

                entry.forwards[port] = Forward(f"{name}:{port}", serve)
            return entry.forwards[port].address

    def create_disk(self, path: Path, *, base: Path | None, size_bytes: int | None) -> None:
        """Make a disk at ``path``: empty, or on top of ``base``."""
        self._disks.create(path, base=base, size_bytes=size_bytes)

    def attach_disk(self, name: str, disk: Path, lun: int) -> None:
        """Let a running guest have one more data disk."""
        with self._lock:
            entry = self._entries.get(name)
            if entry and entry.guest.is_running and lun not in entry.guest.spec.data_disks:
                self._check_unused(disk)
                spec = entry.guest.spec
                entry.guest.spec = spec.with_data_disks({**spec.data_disks, lun: disk})

    def detach_disk(self, name: str, disk: Path) -> None:
        """Take a data disk from a running guest."""
        with self._lock:
            if entry := self._entries.get(name):
                spec = entry.guest.spec
                kept = {lun: other for lun, other in spec.data_disks.items() if other != disk}
                entry.guest.spec = spec.with_data_disks(kept)

    def freeze_disk(self, path: Path, image: Path) -> None:
        """Make ``path`` the read-only ``image`` and put a new disk on top; copy the disk of a running guest."""
        with self._lock:
            if any(path in entry.guest.spec.disks and entry.guest.is_running for entry in self._entries.values()):
                self._disks.copy(path, image)
            else:
                self._check_unused(path)
                self._disks.freeze(path, image)

    def disk_size(self, path: Path) -> int:
        """Give the size in bytes that a guest is told."""
        return read_disk(path).size_bytes

    def export_image(self, image: Path, vhd: Path) -> None:
        """Write what an image holds to a fixed-size VHD that this hypervisor can read again."""
        self._disks.export(image, vhd)

    def import_image(self, vhd: Path, image: Path) -> None:
        """Make a read-only image of what a fixed-size VHD holds."""
        self._disks.bring_in(vhd, image)

    def delete_disk(self, path: Path) -> None:
        """Delete a disk or image."""
        with self._lock:
            self._check_unused(path)
            self._disks.delete(path)

    def marketplace_disk(self, urn: str, generation: Generation) -> Path:
        """Give the disk of a Marketplace image, built at first use."""
        return marketplace_disk(urn, generation, self._cache, self._progress)

    def close(self) -> None:
        """Stop all guests and let go of the state folder."""
        entries = list(self._entries.values())
        for entry in entries:
            for forward in entry.forwards.values():
                forward.close()
        for entry in entries:
            entry.guest.power_off()
        for entry in entries:
            for forward in entry.forwards.values():
                forward.join()
        self._entries.clear()
        self._switch.close()
        self._release()

    def _serve(self, name: str, port: int, connection: socket.socket) -> None:
        entry = self._entries.get(name)
        # Whatever ends the guest in between closes its ports, too.
        with contextlib.suppress(HypervisorError, OSError, EOFError):
            if entry and entry.guest.accepts(port):
                if port == _SSH_PORT:
                    entry.guest.ssh.serve(connection)
                else:
                    connect_to_service(entry.guest, connection, entry.guest.spec.network.address, port)
                return
        refuse(connection)

    def _files(self, name: str) -> GuestFiles:
        return GuestFiles(self._folder / name)

    def _running(self, name: str) -> Guest:
        entry = self._entries.get(name)
        if entry is None or not entry.guest.is_running:
            raise HypervisorError(f"the guest {name} is not running")
        return entry.guest

    def _check_unused(self, disk: Path) -> None:
        running = [entry.guest.spec for entry in self._entries.values() if entry.guest.is_running]
        for spec in (*running, *self._starting.values()):
            if disk in spec.disks:
                raise HypervisorError(f"the disk {disk.name} is in use by the guest {spec.name}")

    def _sweep(self) -> None:
        for folder in self._folder.iterdir():
            if folder.is_dir() and end_recorded_process(GuestFiles(folder).record):
                self._progress(f"ended the guest {folder.name}, which an earlier run had left")


def _take(folder: Path) -> Callable[[], None]:
    try:
        return lock_folder(folder)
    except FolderInUseError as error:
        raise HypervisorError(str(error)) from error
