"""Fixed-size VHD files: the disk's bytes and a footer of 512 bytes. Source: Microsoft, "VHD Image Format" 1.0.

Azure asks more than the format does: the disk is a whole number of MiB.
"""

from __future__ import annotations

import os
import struct
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1024**2
FOOTER_SIZE = 512
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427s")
_COOKIE = b"conectix"
_EPOCH = 946684800  # 2000-01-01T00:00:00Z
_FIXED = 2
_NO_OFFSET = 2**64 - 1
_LARGEST_SECTORS = 65535 * 16 * 255


class VhdError(Exception):
    """A file is no VHD that Azure takes; the text says why."""


def make_footer(size: int) -> bytes:
    """Give the footer of a fixed-size VHD of ``size`` bytes."""
    cylinders, heads, sectors = _geometry(size // 512)
    fields = [
        _COOKIE, 2, 0x00010000, _NO_OFFSET, int(time.time()) - _EPOCH, b"win ", 0x000A0000, b"Wi2k", size, size,
        cylinders, heads, sectors, _FIXED, 0, uuid.uuid4().bytes, 0, b"",
    ]  # fmt: skip
    fields[14] = _checksum(_FOOTER.pack(*fields))
    return _FOOTER.pack(*fields)


def read_size(footer: bytes) -> int:
    """Give the size in bytes of the disk in a VHD, by its footer.

    Raises:
        VhdError: it is no footer, or that of a VHD which Azure refuses.
    """
    if len(footer) != FOOTER_SIZE or footer[:8] != _COOKIE:
        shown = footer[:8].decode("ascii", errors="replace").rstrip("\0")
        raise VhdError(
            f"The specified cookie value in VHD footer indicates that it is not a supported VHD. Disk is expected to "
            f"have cookie value '{_COOKIE.decode()}', not '{shown}'."
        )
    fields = _FOOTER.unpack(footer)
    if fields[14] != _checksum(footer):
        raise VhdError("The checksum in the VHD footer does not match its content.")
    if fields[13] != _FIXED:
        raise VhdError("The VHD is of a type that is not supported. Only fixed VHDs are.")
    size: int = fields[9]
    if size % MEBIBYTE:
        raise VhdError(
            f"The VHD has an unsupported virtual size of {size} bytes. The size must be a whole number (in MBs)."
        )
    return size


def read_size_of_file(path: Path) -> int:
    """Give the size in bytes of the disk in a VHD file.

    Raises:
        VhdError: it is no fixed VHD that Azure takes.
    """
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - FOOTER_SIZE))
        size = read_size(file.read())
    if size != length - FOOTER_SIZE:
        raise VhdError(f"The VHD's footer tells of {size} bytes, but {length - FOOTER_SIZE} bytes precede it.")
    return size


def _checksum(footer: bytes) -> int:
    return ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF


def _geometry(sectors: int) -> tuple[int, int, int]:
    """Give cylinders, heads and sectors per track as the format's appendix computes them."""
    sectors = min(sectors, _LARGEST_SECTORS)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    per_track, heads = 17, max(4, (sectors // 17 + 1023) // 1024)
    cylinders_and_heads = sectors // per_track
    if cylinders_and_heads >= heads * 1024 or heads > 16:  # noqa: PLR2004 - as the format has it
        per_track, heads = 31, 16
        cylinders_and_heads = sectors // per_track
    if cylinders_and_heads >= heads * 1024:
        per_track, heads = 63, 16
        cylinders_and_heads = sectors // per_track
    return cylinders_and_heads // heads, heads, per_track
