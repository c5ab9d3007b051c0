"""What the local Azure needs of whatever runs its machines.

Two implementations stand beside this file: ``qemu`` (real guests) and ``fake`` (answers in milliseconds).
A guest is known by its name, which is the VM's vmId: unique, and safe as a file name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Generation = Literal["V1", "V2"]
"""How a guest's firmware boots: V1 by BIOS, V2 by UEFI (Azure's hyperVGeneration)."""


class HypervisorError(Exception):
    """A guest or a disk did not do as it was told; the text is one sentence for ARM's error body."""


@dataclass(frozen=True, slots=True)
class ProvisioningData:
    """What Azure hands to the guest's provisioning agent at first boot.

    ``custom_data`` and ``user_data`` are the decoded bytes. A specialized disk is booted with ``None`` in
    place of the whole object.
    """

    instance_id: str
    host_name: str
    username: str
    ssh_keys: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    custom_data: bytes | None = field(default=None, repr=False)
    user_data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GuestNetwork:
    """The guest's one network card: ``address`` lies in ``subnet`` (both IPv4, ``10.0.0.4`` in ``10.0.0.0/24``).

    ``interface`` is what the hypervisor's owner knows it by.
    """

    mac: str
    address: str
    subnet: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """A guest as it is to be started.

    ``disks``: the OS disk first, then data disks; ``luns``: the LUN of each data disk, from 0 on if there are none.
    """

    name: str
    disks: tuple[Path, ...]
    cpus: int
    memory_mib: int
    generation: Generation
    network: GuestNetwork
    provisioning: ProvisioningData | None
    luns: tuple[int, ...] = ()

    @property
    def data_disks(self) -> dict[int, Path]:
        """The data disks by LUN."""
        return dict(zip(self.luns or range(len(self.disks) - 1), self.disks[1:], strict=True))

    def with_data_disks(self, data_disks: Mapping[int, Path]) -> GuestSpec:
        """Give the same guest with other data disks, by LUN."""
        luns = tuple(sorted(data_disks))
        return replace(self, disks=(self.disks[0], *(data_disks[lun] for lun in luns)), luns=luns)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What a command run by the guest agent gave."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What a guest begins to send: from its card ``interface``, from where to which IPv4 address.

    ``protocol`` is named as security rules do (``Tcp``, ``Udp``, ``Icmp``) or is the IP protocol's number; the ports
    are 0 where it has none.
    """

    interface: str
    protocol: str
    source: str
    source_port: int
    destination: str
    port: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """That a flow goes to a guest, where it comes in for ``address`` and ``port``."""

    guest: str
    address: str
    port: int


class Way(Enum):
    """Where a flow goes that no guest gets."""

    OUTSIDE = "out of the local Azure"
    NOWHERE = "lost"


Route = Delivery | Way
Router = Callable[[Flow], Route]
"""Decides on each flow that a guest begins; it may be asked from any thread."""


class Hypervisor(Protocol):
    """Runs guests and keeps their disks. Every method may be called from any thread.

    A guest never outlives the hypervisor's owner, however the owner dies; what a killed owner left is removed
    when the next hypervisor opens the same folder.
    """

    def route_by(self, router: Router) -> None:
        """Carry from now on what guests send to where ``router`` says; before that no guest reaches another."""

    def start(self, spec: GuestSpec) -> None:
        """Start the guest and return once it runs (it is still booting). Its serial log is begun anew.

        Raises:
            HypervisorError: it could not be started, or is running already.
        """

    def stop(self, name: str, *, graceful: bool) -> None:
        """Stop the guest (by its power button first, when graceful); a guest that does not run is no error."""

    def restart(self, name: str) -> None:
        """Restart the guest in place, with the disks and the address that it has."""

    def forget(self, name: str) -> None:
        """Stop the guest if it runs and remove whatever is kept of it, disks excepted."""

    def is_running(self, name: str) -> bool:
        """Tell whether the guest runs."""

    def wait_until_provisioned(self, name: str, timeout: float) -> None:
        """Return once the guest's agent answers and its first-boot provisioning is done, within seconds.

        Raises:
            HypervisorError: it did not within ``timeout`` seconds, or the guest ended.
        """

    def is_agent_ready(self, name: str) -> bool:
        """Tell, at once, whether the guest's agent answers."""

    def run_command(self, name: str, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root through the guest's agent, not through SSH."""

    def read_serial_log(self, name: str) -> bytes:
        """Give what the guest has written to its serial console since its last start."""

    def forward(self, name: str, port: int) -> tuple[str, int]:
        """Give a host address that leads to the guest's TCP ``port``; the same one when asked again."""

    def create_disk(self, path: Path, *, base: Path | None, size_bytes: int | None) -> None:
        """Make a disk at ``path``: empty, or on top of ``base``, which from then on must not change."""

    def attach_disk(self, name: str, disk: Path, lun: int) -> None:
        """Let a running guest have one more data disk, at once; one that does not run, or has one there, is left alone.

        Raises:
            HypervisorError: it could not be attached.
        """

    def detach_disk(self, name: str, disk: Path) -> None:
        """Take a data disk from a running guest, at once; one that does not run, or has it not, is left alone.

        Raises:
            HypervisorError: the guest does not let go of it.
        """

    def freeze_disk(self, path: Path, image: Path) -> None:
        """Make ``path`` the read-only ``image`` without copying, and put a new disk on top of it at ``path``.

        A guest that runs on it goes on; ``image`` is then the disk as it is at one moment, if need be by a copy of its
        newest layer.
        """

    def disk_size(self, path: Path) -> int:
        """Give the size in bytes that a guest sees."""

    def export_image(self, image: Path, vhd: Path) -> None:
        """Write what a read-only image holds to a fixed-size VHD, as large as that and with holes where it is empty.

        Raises:
            HypervisorError: it could not be read or written.
        """

    def import_image(self, vhd: Path, image: Path) -> None:
        """Make a read-only image of what a fixed-size VHD holds, as large as that.

        Raises:
            HypervisorError: it is no such VHD, or it could not be read.
        """

    def delete_disk(self, path: Path) -> None:
        """Delete a disk or image; one that does not exist is no error."""

    def marketplace_disk(self, urn: str, generation: Generation) -> Path:
        """Give the disk of a Marketplace image (``publisher:offer:sku``), built at first use.

        Raises:
            HypervisorError: there is no such image here, or it could not be built.
        """

    def close(self) -> None:
        """Stop all guests."""
