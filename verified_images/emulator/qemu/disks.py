"""Disks as qcow2 files: made, laid on top of one another, and frozen, always by ``qemu-img``."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.vhd import VhdError, read_size_of_file


def create_disk(path: Path, *, base: Path | None, size_bytes: int | None) -> None:
    """Make an empty disk of ``size_bytes``, or one on top of ``base``, at least as large as that.

    Raises:
        HypervisorError: the disk would be smaller than its base, has no size, or could not be written.
    """
    if base is None and size_bytes is None:
        raise HypervisorError(f"the disk {path.name} has neither a size nor a base")
    if base is not None:
        base_size = disk_size(base)
        if size_bytes is not None and size_bytes < base_size:
            raise HypervisorError(
                f"the disk {path.name} of {size_bytes} bytes is smaller than its source of {base_size} bytes"
            )
        size_bytes = size_bytes or base_size
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    _create(unfinished, backing_reference(path, base) if base else None, size_bytes or 0)
    unfinished.replace(path)


def freeze_disk(path: Path, image: Path) -> None:
    """Make ``path`` the read-only ``image`` and put a new disk on top of it at ``path``; no data is copied."""
    size = disk_size(path)
    image.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    _create(unfinished, backing_reference(path, image), size)
    _point_at_same_base_from(path, image)
    path.chmod(0o444)
    path.rename(image)
    unfinished.rename(path)


def may_stay(path: Path, image: Path) -> bool:
    """Tell whether a disk finds its base also as ``image``, without a change of what is written in it."""
    reference = str(_info(path).get("backing-filename") or "/")
    same_level = image.absolute().parent.parent == path.absolute().parent.parent
    return reference.startswith("/") or (same_level and reference.startswith("./../"))


def begin_overlay(path: Path, image: Path) -> Path:
    """Make the file that a running guest goes on with once its disk at ``path`` is ``image``, and give its name.

    The name is never used again: QEMU looks for it when the next one is put on top.
    """
    image.parent.mkdir(parents=True, exist_ok=True)
    overlay = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _create(overlay, backing_reference(path, image), disk_size(path))
    return overlay


def finish_overlay(path: Path, image: Path, overlay: Path) -> None:
    """Let ``path`` be ``image``, read-only, and the overlay, which its guest writes to by now, be ``path``."""
    path.chmod(0o444)
    image.hardlink_to(path)
    overlay.replace(path)


def copy_disk(path: Path, image: Path) -> None:
    """Make a read-only ``image`` of what a disk holds, by a copy of its newest layer; nobody may write meanwhile."""
    image.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(image)
    _run("cp", "--sparse=always", "--reflink=auto", str(path), str(unfinished))
    reference = _info(path).get("backing-filename")
    if isinstance(reference, str) and not reference.startswith("/"):
        base = Path(os.path.normpath(path.parent.absolute() / reference))
        _qemu_img("rebase", "-q", "-u", "-F", "qcow2", "-b", backing_reference(image, base), str(unfinished))
    unfinished.chmod(0o444)
    unfinished.replace(image)


def export_image(image: Path, vhd: Path) -> None:
    """Write what an image holds to a fixed-size VHD of exactly its size."""
    unfinished = _unfinished(vhd)
    # force_size: or the size is rounded to what cylinders, heads and sectors can say, which Azure refuses.
    options = "subformat=fixed,force_size=on"
    _qemu_img("convert", "-f", "qcow2", "-O", "vpc", "-o", options, str(image), str(unfinished))
    unfinished.chmod(0o600)
    unfinished.replace(vhd)


def import_image(vhd: Path, image: Path) -> None:
    """Make a read-only image of what a fixed-size VHD holds.

    Raises:
        HypervisorError: it is no such VHD, or could not be read.
    """
    try:
        size = read_size_of_file(vhd)
    except VhdError as error:
        raise HypervisorError(str(error)) from error
    image.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(image)
    # The bytes before the footer as they are: qemu takes a VHD's size from cylinders, heads and sectors.
    escaped = str(vhd).replace(",", ",,")
    source = f"driver=raw,offset=0,size={size},file.driver=file,file.filename={escaped}"
    _qemu_img("convert", "--image-opts", source, "-O", "qcow2", str(unfinished))
    unfinished.chmod(0o444)
    unfinished.replace(image)


def disk_size(path: Path) -> int:
    """Give the size in bytes that a guest sees."""
    return int(_info(path)["virtual-size"])


def backing_reference(path: Path, base: Path) -> str:
    """Give what a disk at ``path`` calls its ``base``.

    Relative among disks that are kept together, so that their folder can be moved; absolute otherwise.
    """
    path, base = path.absolute(), base.absolute()
    together = Path(os.path.commonpath([path, base]))
    if together in (path.parent, path.parent.parent):
        return os.path.join(".", os.path.relpath(base, path.parent))  # noqa: PTH118 - pathlib drops the "./"
    return str(base)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _create(path: Path, reference: str | None, size: int) -> None:
    # -u: the reference is relative to where the disk will be, and the base may not be there yet.
    base = ["-u", "-b", reference, "-F", "qcow2"] if reference else []
    _qemu_img("create", "-q", "-f", "qcow2", *base, str(path), str(size))
    path.chmod(0o600)


def _point_at_same_base_from(path: Path, new_path: Path) -> None:
    reference = _info(path).get("backing-filename")
    if isinstance(reference, str) and not reference.startswith("/") and path.parent != new_path.parent:
        base = Path(os.path.normpath(path.parent.absolute() / reference))
        _qemu_img("rebase", "-q", "-u", "-F", "qcow2", "-b", backing_reference(new_path, base), str(path))


def _info(path: Path) -> dict[str, Any]:
    return dict(json.loads(_qemu_img("info", "-U", "-f", "qcow2", "--output=json", str(path))))


def _qemu_img(*arguments: str) -> str:
    try:
        return _run("qemu-img", *arguments)
    except FileNotFoundError as error:
        raise HypervisorError("disks need qemu-img; install with: apt-get install qemu-utils") from error


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, process_group=0)
    if done.returncode:
        raise HypervisorError(f"{program} {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
