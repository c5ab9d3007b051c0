"""The QEMU command line of a guest."""

from __future__ import annotations

import ipaddress
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import GuestNetwork, GuestSpec
    from verified_images.emulator.qemu.accelerator import Accelerator

_FIRMWARE = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
)
"""Where distributions put UEFI for QEMU: its code, and the variables that a machine starts with."""

OS_NODE = "os-disk"
"""What QEMU calls the block node of the OS disk when it starts."""

# Nothing on a host's disk needs to survive a crash of the host.
_CACHE = {"direct": False, "no-flush": True}


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """What is kept of a guest beside its disks."""

    folder: Path

    @property
    def serial_log(self) -> Path:
        """What the guest wrote to its serial console."""
        return self.folder / "serial.log"

    @property
    def seed(self) -> Path:
        """The disc that cloud-init reads."""
        return self.folder / "seed.img"

    @property
    def variables(self) -> Path:
        """The guest's UEFI variables."""
        return self.folder / "uefi-variables.fd"

    @property
    def record(self) -> Path:
        """Which process runs the guest."""
        return self.folder / "process.json"

    @property
    def qemu_log(self) -> Path:
        """What QEMU itself had to say."""
        return self.folder / "qemu.log"


def find_firmware() -> tuple[Path, Path]:
    """Give the files of UEFI's code and of its variables' first state.

    Raises:
        HypervisorError: this machine has none.
    """
    for code, variables in _FIRMWARE:
        if Path(code).exists() and Path(variables).exists():
            return Path(code), Path(variables)
    raise HypervisorError("guests of generation V2 need UEFI firmware; install with: apt-get install ovmf")


@dataclass(frozen=True, slots=True)
class Sockets:
    """The numbers of the sockets that QEMU inherits, by what is spoken through them.

    ``inlet``, ``outlet`` and ``outside`` carry frames: from the guest, to the guest, and to the world outside.
    """

    monitor: int
    agent: int
    inlet: int
    outlet: int
    outside: int


def qemu_command(spec: GuestSpec, files: GuestFiles, accelerator: Accelerator, sockets: Sockets) -> list[str]:
    """Give QEMU's command line."""
    return [
        "qemu-system-x86_64",
        *("-name", f"guest={spec.name}"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-rtc", "base=utc"),
        *_machine(spec, files),
        *("-accel", accelerator.accel, "-cpu", accelerator.cpu),
        *("-smp", str(spec.cpus), "-m", f"{spec.memory_mib}M"),
        *_disks(spec, files),
        *_network(spec.network, sockets),
        *("-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"),
        *("-chardev", f"file,id=serial,path={_escape(files.serial_log)},append=on", "-serial", "chardev:serial"),
        *("-chardev", f"socket,id=monitor,fd={sockets.monitor}", "-mon", "chardev=monitor,mode=control"),
        *("-chardev", f"socket,id=agent,fd={sockets.agent}", "-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
    ]


def _machine(spec: GuestSpec, files: GuestFiles) -> list[str]:
    # The system's UUID is the vmId, as on Azure; anything else that serves as a name is made one.
    try:
        identity = uuid.UUID(spec.name)
    except ValueError:
        identity = uuid.uuid5(uuid.NAMESPACE_OID, spec.name)
    smbios = f"type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,uuid={identity}"
    if spec.generation == "V1":
        return ["-machine", "q35,hpet=off", "-smbios", smbios]
    code, _ = find_firmware()
    return [
        *("-machine", "q35,hpet=off,pflash0=uefi-code,pflash1=uefi-variables", "-smbios", smbios),
        *_blockdev("uefi-code", "raw", code, read_only=True),
        *_blockdev("uefi-variables", "raw", files.variables),
    ]


def _disks(spec: GuestSpec, files: GuestFiles) -> list[str]:
    # As on Azure the OS disk and the data disks hang on SCSI controllers of their own.
    arguments = ["-device", "virtio-scsi-pci,id=os", "-device", "virtio-scsi-pci,id=data"]
    os_disk = {"driver": "scsi-hd", "drive": OS_NODE, "bus": "os.0", "scsi-id": 0, "lun": 0, "bootindex": 0}
    for disk in spec.disks[:1]:
        arguments += _blockdev(OS_NODE, "qcow2", disk)
        arguments += ["-device", json.dumps({**os_disk, "serial": "os"})]
    for lun, disk in spec.data_disks.items():
        arguments += _blockdev(f"lun{lun}", "qcow2", disk)
        arguments += ["-device", json.dumps(data_disk_device(lun))]
    if spec.provisioning is not None:
        arguments += _blockdev("seed", "raw", files.seed, read_only=True)
        arguments += ["-device", "virtio-blk-pci,drive=seed"]
    return arguments


def data_disk_device(lun: int) -> dict[str, object]:
    """Give the device that shows the block node ``lunN`` to the guest as the data disk at that LUN."""
    name = f"lun{lun}"
    return {"driver": "scsi-hd", "id": name, "drive": name, "bus": "data.0", "scsi-id": 0, "lun": lun, "serial": name}


def block_node(name: str, driver: str, path: Path, *, read_only: bool = False) -> dict[str, object]:
    """Give what QEMU is to know of a disk's file."""
    return {
        "node-name": name,
        "driver": driver,
        "read-only": read_only,
        "discard": "unmap",
        "cache": _CACHE,
        "file": {"driver": "file", "filename": str(path), "aio": "threads", "discard": "unmap", "cache": _CACHE},
    }


def _blockdev(name: str, driver: str, path: Path, *, read_only: bool = False) -> list[str]:
    return ["-blockdev", json.dumps(block_node(name, driver, path, read_only=read_only))]


def _network(network: GuestNetwork, sockets: Sockets) -> list[str]:
    # Azure keeps a subnet's first addresses for itself: .1 is the gateway, .2 and .3 lead to its DNS.
    subnet = ipaddress.IPv4Network(network.subnet)
    gateway, name_server = subnet.network_address + 1, subnet.network_address + 3
    mac = network.mac.replace("-", ":")
    return [
        "-netdev",
        f"user,id=net,ipv6=off,net={subnet},host={gateway},dns={name_server},dhcpstart={network.address}",
        *("-device", f"virtio-net-pci,netdev=net,mac={mac},romfile="),
        *_switching(sockets),
    ]


def _switching(sockets: Sockets) -> list[str]:
    """Lead what the guest sends through the switch; what comes for it from outside goes straight to the guest."""
    arguments = []
    for name in ("inlet", "outlet", "outside"):
        arguments += ["-chardev", f"socket,id={name},fd={getattr(sockets, name)}"]
    sent = "filter-redirector,id=sent,netdev=net,queue=rx,outdev=inlet,indev=outside"
    return [*arguments, "-object", sent, "-object", "filter-redirector,id=received,netdev=net,queue=tx,indev=outlet"]


def _escape(path: Path) -> str:
    return str(path).replace(",", ",,")
