"""Disks of layers as fixed-size VHD files, and back.

Such a VHD begins with a line that names the layers, and goes on with an archive of them; the folder of a Marketplace
image is only named. Any other VHD can be brought in and written out again as it is, but there is nothing to boot in it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import uuid
from pathlib import Path
from typing import BinaryIO

from verified_images.emulator.fake.programs import find_program
from verified_images.emulator.fake.sandbox import run_as_tree_owner
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.vhd import MEBIBYTE, VhdError, make_footer, read_size_of_file

_RAW = "raw"  # in a layer: the bytes of a VHD that was not written here
_FORMAT = "layers of verified-images"
_HEADER_SIZE = 64 * 1024
_LAYER = re.compile(r"[0-9a-f]{12}")
_BASE = re.compile(r"base:([A-Za-z0-9][-A-Za-z0-9.]*)")


def write_vhd(folder: Path, layers: tuple[str, ...], size: int, vhd: Path) -> None:
    """Write a disk of ``layers``, the lowest first, to a VHD of ``size`` bytes.

    Raises:
        HypervisorError: a layer could not be read, or they need more than the disk has.
    """
    size = -(-size // MEBIBYTE) * MEBIBYTE
    unfinished = vhd.with_name(f".{vhd.name}.{uuid.uuid4().hex[:12]}")
    try:
        own = [layer for layer in layers if not layer.startswith("/")]
        raw = next((folder / layer / _RAW for layer in own if (folder / layer / _RAW).exists()), None)
        if raw:
            _copy(raw, unfinished, 0)
        else:
            named = [f"base:{Path(layer).parent.name}" if layer.startswith("/") else layer for layer in layers]
            header = json.dumps({"format": _FORMAT, "layers": named}).encode() + b"\n"
            unfinished.write_bytes(header.ljust(_HEADER_SIZE, b"\0"))
            _archive(folder, own, unfinished)
        if unfinished.stat().st_size > size:
            raise HypervisorError(f"what the disk holds does not fit into a VHD of {size} bytes")
        os.truncate(unfinished, size)
        with unfinished.open("ab") as file:
            file.write(make_footer(size))
        unfinished.chmod(0o600)
        unfinished.replace(vhd)
    finally:
        unfinished.unlink(missing_ok=True)


def read_vhd(folder: Path, bases: Path, vhd: Path) -> tuple[int, tuple[str, ...]]:
    """Bring what a VHD holds into ``folder``; give the disk's size in bytes and the names of its new layers.

    ``bases`` has the folders of the Marketplace images.

    Raises:
        HypervisorError: it is no such VHD, or one of a Marketplace image that is not here.
    """
    try:
        size = read_size_of_file(vhd)
    except VhdError as error:
        raise HypervisorError(str(error)) from error
    with vhd.open("rb") as file:
        header = file.read(_HEADER_SIZE).partition(b"\n")[0]
    if _FORMAT.encode() not in header:
        return size, (_take_raw(folder, vhd, size),)
    names = _place_layers(header, bases)
    _extract(folder, vhd, size, {old: new for old, new in names.items() if not new.startswith("/")})
    return size, tuple(names.values())


def _place_layers(header: bytes, bases: Path) -> dict[str, str]:
    """Give each layer that a VHD names the name it is to have here; what the VHD says is not trusted."""
    try:
        before = [str(layer) for layer in json.loads(header)["layers"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HypervisorError("the VHD's description of its layers cannot be read") from error
    names = {}
    for layer in before:
        if _LAYER.fullmatch(layer):
            names[layer] = uuid.uuid4().hex[:12]
        elif (base := _BASE.fullmatch(layer)) and (bases / base[1] / "files").is_dir():
            names[layer] = str(bases / base[1] / "files")
        else:
            raise HypervisorError(f"the VHD stands on an image that is not on this machine: {layer}")
    return names


def _archive(folder: Path, layers: list[str], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        archive = Path(work) / "layers.tar"
        parts = [f"{layer}/files" for layer in layers]
        options = ("--create", "--sparse", "--numeric-owner", "--xattrs", "--xattrs-include=user.*")
        if parts:
            run_as_tree_owner(find_program("tar"), *options, "--file", archive, "--directory", folder, "--", *parts)
            _copy(archive, target, _HEADER_SIZE)


def _extract(folder: Path, vhd: Path, size: int, names: dict[str, str]) -> None:
    if not names:
        return
    with tempfile.TemporaryDirectory(dir=folder) as work:
        archive = Path(work) / "layers.tar"
        archive.touch()
        _copy(vhd, archive, 0, start=_HEADER_SIZE, stop=size)
        options = ("--extract", "--numeric-owner", "--xattrs", "--xattrs-include=user.*", "--preserve-permissions")
        run_as_tree_owner(find_program("tar"), *options, "--file", archive, "--directory", work)
        for old, new in names.items():
            (folder / new / "work").mkdir(parents=True)
            (Path(work) / old / "files").rename(folder / new / "files")


def _take_raw(folder: Path, vhd: Path, size: int) -> str:
    layer = uuid.uuid4().hex[:12]
    for part in ("files", "work"):
        (folder / layer / part).mkdir(parents=True)
    raw = folder / layer / _RAW
    raw.touch(mode=0o600)
    _copy(vhd, raw, 0, stop=size)
    os.truncate(raw, size)
    return layer


def _copy(source: Path, target: Path, offset: int, *, start: int = 0, stop: int | None = None) -> None:
    """Copy a file into another from ``offset`` on, without its holes."""
    with source.open("rb") as reading, target.open("r+b" if target.exists() else "w+b") as writing:
        stop = reading.seek(0, os.SEEK_END) if stop is None else stop
        position = start
        while position < stop:
            try:
                first = os.lseek(reading.fileno(), position, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole follows
                return
            after = min(os.lseek(reading.fileno(), first, os.SEEK_HOLE), stop)
            if first >= stop:
                return
            reading.seek(first)
            writing.seek(offset + first - start)
            _copy_bytes(reading, writing, after - first)
            position = after


def _copy_bytes(reading: BinaryIO, writing: BinaryIO, count: int) -> None:
    while count and (content := reading.read(min(count, MEBIBYTE))):
        writing.write(content)
        count -= len(content)
