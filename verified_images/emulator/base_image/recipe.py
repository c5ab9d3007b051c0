"""What the Debian 12 disk is made of; whatever stands here or in ``root/`` is part of the cache key."""

from __future__ import annotations

import hashlib
import io
import tarfile
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NAME = "debian-12"
SUITE = "bookworm"
SIZE_BYTES = 30 << 30
"""The size of the Marketplace image's OS disk."""

LAYOUT = 2
"""Raised whenever the code beside this file makes another disk of the same ingredients."""

PACKAGES = (
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "curl",
    "dbus",
    "dmidecode",
    "e2fsprogs",
    "fdisk",
    "gpg",
    "grub-cloud-amd64",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "lz4",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "qemu-guest-agent",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "udev",
    "vim-tiny",
    "waagent",
    "wget",
)


def read_script(name: str) -> str:
    """Give the text of a shell script that stands beside this file."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def pack_root_files() -> bytes:
    """Give the files of ``root/`` as a tar archive in which all belongs to root; equal files, equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, resources.files(__package__) / "root", "")
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, folder: Traversable, prefix: str) -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        member = tarfile.TarInfo(prefix + entry.name)
        if entry.is_dir():
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
            _add(archive, entry, f"{prefix}{entry.name}/")
        else:
            content = entry.read_bytes()
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))


def cache_key() -> str:
    """Give a short key that changes with anything the disk is made of."""
    digest = hashlib.sha256(pack_root_files())
    for part in (str(LAYOUT), SUITE, str(SIZE_BYTES), *PACKAGES, read_script("finish.sh")):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()[:16]
