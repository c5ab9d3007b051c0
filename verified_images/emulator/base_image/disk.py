"""Making a bootable disk of a root file system, without root, loop devices or mounts.

One disk serves both of Azure's generations: GRUB for BIOS stands in the first sector and a partition of its own, GRUB
for UEFI in the EFI system partition; both read the ``grub.cfg`` that the guest's own kernel hooks maintain.
"""

from __future__ import annotations

import os
import secrets
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.base_image import recipe

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.base_image.tools import Workbench

_SECTOR = 512
_CORE_START = 2048
_ESP_START = 8192
_ROOT_START = 262144
_BACKUP_TABLE = 2048
_ROOT_SECTORS = recipe.SIZE_BYTES // _SECTOR - _ROOT_START - _BACKUP_TABLE

# The numbers and sizes are those of Debian's own cloud images; the types are those of the UEFI specification and the
# Discoverable Partitions Specification.
_PARTITIONS = f"""label: gpt
14: start={_CORE_START}, size={_ESP_START - _CORE_START}, type=21686148-6449-6E6F-744E-656564454649
15: start={_ESP_START}, size={_ROOT_START - _ESP_START}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
1: start={_ROOT_START}, size={_ROOT_SECTORS}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
"""

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "mmd": "mtools",
    "mcopy": "mtools",
    "qemu-img": "qemu-utils",
    "tar": "tar",
}
TOOLS_OF_ORDINARY_USERS = {"unshare": "util-linux", "newuidmap": "uidmap", "newgidmap": "uidmap"}


def in_namespace(*command: str) -> list[str]:
    """Give the command that runs ``command`` as root, or as root of a user namespace where the caller is not root."""
    if os.geteuid() == 0:
        return list(command)
    return ["unshare", "--map-root-user", "--map-auto", "--setuid", "0", "--setgid", "0", "--", *command]


@dataclass(frozen=True, slots=True)
class DiskBuilder:
    """Builds a disk in the folder ``work``, which it may fill with whatever it needs."""

    work: Path
    bench: Workbench

    def build(self, rootfs: Path) -> Path:
        """Make a qcow2 disk of the root file system in the tar archive ``rootfs``."""
        disk = self.work / "disk.raw"
        with disk.open("wb") as file:
            file.truncate(recipe.SIZE_BYTES)
        self.bench.run(["sfdisk", "--quiet", str(disk)], "partitioning the disk", stdin=_PARTITIONS)
        esp_serial = secrets.token_hex(4).upper()
        self._make_root(rootfs, disk, f"{esp_serial[:4]}-{esp_serial[4:]}")
        self._make_esp(disk, esp_serial)
        write_bios_loader(disk, (self.work / "boot.img").read_bytes(), (self.work / "core.img").read_bytes())
        packed = self.work / "disk.qcow2"
        self.bench.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(packed)], "writing the disk")
        return packed

    def _make_root(self, rootfs: Path, disk: Path, esp_uuid: str) -> None:
        script = self.work / "finish.sh"
        script.write_text(recipe.read_script("finish.sh"), encoding="utf-8")
        places = [str(rootfs), str(self.work), str(uuid.uuid4()), esp_uuid, str(disk)]
        sizes = [str(_ROOT_START * _SECTOR), str(_ROOT_SECTORS * _SECTOR // 1024)]
        self.bench.run(in_namespace("sh", str(script), *places, *sizes), "making the root file system")

    def _make_esp(self, disk: Path, serial: str) -> None:
        esp = f"{disk}@@{_ESP_START * _SECTOR}"
        sectors = str(_ROOT_START - _ESP_START)
        step = "making the EFI system partition"
        self.bench.run(["mformat", "-i", esp, "-F", "-v", "ESP", "-N", serial, "-T", sectors, "::"], step)
        erase_partition_table(disk, _ESP_START * _SECTOR)
        self.bench.run(["mmd", "-i", esp, "::EFI", "::EFI/BOOT"], step)
        self.bench.run(["mcopy", "-i", esp, str(self.work / "BOOTX64.EFI"), "::EFI/BOOT/BOOTX64.EFI"], step)


def erase_partition_table(disk: Path, offset: int) -> None:
    """Erase the partition table that ``mformat`` writes into a file system's boot sector, at ``offset`` in bytes.

    A file system that is itself in a partition has no use for one, and GRUB complains about partitions in partitions.
    """
    with disk.open("r+b") as file:
        file.seek(offset + 446)
        file.write(bytes(64))


def write_bios_loader(disk: Path, boot: bytes, core: bytes) -> None:
    """Write GRUB's first and second stage as ``grub-bios-setup`` does (GRUB 2, util/setup.c)."""
    if len(core) > (_ESP_START - _CORE_START) * _SECTOR:
        raise ValueError(f"GRUB's core image of {len(core)} bytes does not fit its partition")
    first = bytearray(boot[:440])
    struct.pack_into("<Q", first, 0x5C, _CORE_START)
    first[0x66:0x68] = b"\x90\x90"  # trust the drive number that the BIOS gives: two NOPs over a jump
    second = bytearray(core)
    struct.pack_into("<Q", second, 0x1F4, _CORE_START + 1)
    with disk.open("r+b") as file:
        file.write(first)
        file.seek(_CORE_START * _SECTOR)
        file.write(second)
