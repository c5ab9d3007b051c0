"""The hypervisor of the local Azure: QEMU guests, their disks, and what they boot from."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING

from verified_images.emulator.base_image.marketplace import marketplace_disk
from verified_images.emulator.folder_lock import FolderInUseError, lock_folder
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu import disks
from verified_images.emulator.qemu.accelerator import choose_accelerator
from verified_images.emulator.qemu.command_line import GuestFiles
from verified_images.emulator.qemu.guest import Guest
from verified_images.emulator.qemu.processes import Spawner, end_recorded_process
from verified_images.emulator.qemu.qemu_process import Surroundings, prepare_files, start_qemu
from verified_images.emulator.switch.switch import Switch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.hypervisor import CommandOutcome, Generation, GuestSpec, Router


class QemuHypervisor:
    """Runs guests with QEMU; see `verified_images.emulator.hypervisor.Hypervisor` for the promises.

    ``state`` is the folder of this cloud's guests, for one hypervisor at a time; ``cache`` may be shared by all and
    holds what can be made again. ``progress`` is told, line by line, what takes long.

    Raises:
        HypervisorError: another process uses ``state``.
    """

    def __init__(self, state: Path, cache: Path, *, progress: Callable[[str], None] | None = None) -> None:
        self._folder = state.absolute() / "guests"
        self._cache = cache.absolute()
        self._progress = progress or (lambda _: None)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._release = _take(self._folder)
        self._sweep()
        self._spawner = Spawner()
        self._lock = threading.RLock()
        self._starting: set[str] = set()
        self._guests: dict[str, Guest] = {}
        accelerator = choose_accelerator(self._cache)
        self._switch = Switch()
        self._surroundings = Surroundings(accelerator, self._spawner, self._switch)

    def route_by(self, router: Router) -> None:
        """Carry from now on what guests send to where ``router`` says."""
        self._switch.route_by(router)

    def start(self, spec: GuestSpec) -> None:
        """Start the guest and return once it runs."""
        with self._lock:
            if spec.name in self._starting or self.is_running(spec.name):
                raise HypervisorError(f"the guest {spec.name} runs already")
            self._starting.add(spec.name)
        try:
            self.stop(spec.name, graceful=False)
            files = self._files(spec.name)
            prepare_files(spec, files)
            start = partial(start_qemu, files=files, surroundings=self._surroundings)
            self._guests[spec.name] = Guest(spec, files.serial_log, start)
        finally:
            self._starting.discard(spec.name)

    def stop(self, name: str, *, graceful: bool) -> None:
        """Stop the guest, by its power button first when graceful."""
        guest = self._guests.get(name)
        if guest is None:
            return
        if graceful:
            guest.shut_down()
        guest.end()
        files = self._files(name)
        files.record.unlink(missing_ok=True)
        files.seed.unlink(missing_ok=True)
        with self._lock:
            if self._guests.get(name) is guest:
                del self._guests[name]

    def restart(self, name: str) -> None:
        """Restart the guest in place."""
        self._running(name).restart()

    def forget(self, name: str) -> None:
        """Stop the guest and remove what is kept of it, disks excepted."""
        self.stop(name, graceful=False)
        shutil.rmtree(self._files(name).folder, ignore_errors=True)

    def is_running(self, name: str) -> bool:
        """Tell whether the guest runs."""
        guest = self._guests.get(name)
        return guest is not None and guest.is_running

    def wait_until_provisioned(self, name: str, timeout: float) -> None:
        """Return once the guest's agent answers and cloud-init is done."""
        self._running(name).wait_until_provisioned(timeout)

    def is_agent_ready(self, name: str) -> bool:
        """Tell whether the guest's agent answers."""
        guest = self._guests.get(name)
        return guest is not None and guest.is_agent_ready()

    def run_command(self, name: str, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root through the guest's agent."""
        return self._running(name).run_script(script, timeout)

    def read_serial_log(self, name: str) -> bytes:
        """Give what the guest has written to its serial console since its last start."""
        try:
            return self._files(name).serial_log.read_bytes()
        except FileNotFoundError:
            return b""

    def forward(self, name: str, port: int) -> tuple[str, int]:
        """Give a host address that leads to the guest's TCP ``port``.

        A connection to it is accepted at once and waits while nothing listens in the guest.
        """
        return "127.0.0.1", self._running(name).forward(port)

    def create_disk(self, path: Path, *, base: Path | None, size_bytes: int | None) -> None:
        """Make a disk at ``path``: empty, or on top of ``base``."""
        disks.create_disk(path, base=base, size_bytes=size_bytes)

    def attach_disk(self, name: str, disk: Path, lun: int) -> None:
        """Let a running guest have one more data disk, at once."""
        if guest := self._guests.get(name):
            guest.attach_disk(disk, lun)

    def detach_disk(self, name: str, disk: Path) -> None:
        """Take a data disk from a running guest, at once."""
        if guest := self._guests.get(name):
            guest.detach_disk(disk)

    def freeze_disk(self, path: Path, image: Path) -> None:
        """Make ``path`` the read-only ``image`` and put a new disk on top, below a running guest too.

        Of its data disks, and of disks that are kept in another way, the newest layer is copied while it stands still.
        """
        with self._lock:
            for guest in self._guests.values():
                if not guest.is_running or path not in guest.spec.disks:
                    continue
                if path == guest.spec.disks[0] and disks.may_stay(path, image):
                    guest.freeze_os_disk(image)
                else:
                    guest.while_paused(lambda: disks.copy_disk(path, image))
                return
            disks.freeze_disk(path, image)

    def disk_size(self, path: Path) -> int:
        """Give the size in bytes that a guest sees."""
        return disks.disk_size(path)

    def export_image(self, image: Path, vhd: Path) -> None:
        """Write what an image holds to a fixed-size VHD."""
        disks.export_image(image, vhd)

    def import_image(self, vhd: Path, image: Path) -> None:
        """Make a read-only image of what a fixed-size VHD holds."""
        disks.import_image(vhd, image)

    def delete_disk(self, path: Path) -> None:
        """Delete a disk or image."""
        path.unlink(missing_ok=True)

    def marketplace_disk(self, urn: str, generation: Generation) -> Path:
        """Give the disk of a Marketplace image, built at first use."""
        return marketplace_disk(urn, generation, self._cache, self._progress)

    def close(self) -> None:
        """Stop all guests and let go of the state folder."""
        for name in list(self._guests):
            self.stop(name, graceful=False)
        self._spawner.close()
        self._switch.close()
        self._release()

    def _files(self, name: str) -> GuestFiles:
        return GuestFiles(self._folder / name)

    def _running(self, name: str) -> Guest:
        guest = self._guests.get(name)
        if guest is None or not guest.is_running:
            raise HypervisorError(f"the guest {name} is not running")
        return guest

    def _sweep(self) -> None:
        for folder in self._folder.iterdir():
            if folder.is_dir():
                files = GuestFiles(folder)
                if end_recorded_process(files.record):
                    self._progress(f"ended the guest {folder.name}, which an earlier run had left")
                files.seed.unlink(missing_ok=True)


def _take(folder: Path) -> Callable[[], None]:
    try:
        return lock_folder(folder)
    except FolderInUseError as error:
        raise HypervisorError(str(error)) from error
