"""Disks as layers: a disk is a small file that names folders, the last of which takes what its guest writes.

The folders are put on top of each other by overlayfs when a guest starts, so that neither a disk on top of an image nor
an image out of a disk copies anything. A layer stays as long as a disk or image names it.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from verified_images.emulator.fake.layer_vhds import read_vhd, write_vhd
from verified_images.emulator.fake.programs import find_program
from verified_images.emulator.fake.sandbox import RootFileSystem, run_as_tree_owner
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from pathlib import Path

MARKETPLACE_SIZE = 30 * 1024**3
"""Bytes of a Marketplace Linux image's OS disk."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What the file of a disk says; ``layers`` are names in the store, or absolute paths, the lowest first."""

    id: str
    size_bytes: int
    layers: tuple[str, ...]
    is_image: bool = False


class DiskStore:
    """Keeps layers in ``folder``; the files of the disks lie wherever the caller wants them.

    ``bases`` has the folders of the Marketplace images.
    """

    def __init__(self, folder: Path, bases: Path) -> None:
        self._folder = folder
        self._bases = bases
        self._claims = folder / "claims"  # LAYER.DISK: why a layer is kept
        self._lock = threading.Lock()
        self._claims.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def create(self, path: Path, *, base: Path | None, size_bytes: int | None) -> None:
        """Make a disk: empty, or on top of ``base``, never smaller than it.

        Raises:
            HypervisorError: there is a disk already, there is no base, or the size is missing or too small.
        """
        with self._lock:
            if path.exists():
                raise HypervisorError(f"the disk {path.name} exists already")
            below = read_disk(base) if base else None
            size = size_bytes or (below.size_bytes if below else None)
            if size is None:
                raise HypervisorError(f"the disk {path.name} needs a size, as it has no base")
            if below and size < below.size_bytes:
                raise HypervisorError(
                    f"the disk {path.name} cannot be of {size} bytes: its base has {below.size_bytes} bytes"
                )
            self._put_on_top(path, below.layers if below else (), size)

    def freeze(self, path: Path, image: Path) -> None:
        """Make ``path`` the read-only ``image``, and put a disk on top of it at ``path``.

        Raises:
            HypervisorError: there is no such disk, or there is such an image already.
        """
        with self._lock:
            if image.exists():
                raise HypervisorError(f"the image {image.name} exists already")
            disk = read_disk(path)
            write_disk(image, replace(disk, is_image=True))
            self._put_on_top(path, disk.layers, disk.size_bytes)

    def copy(self, path: Path, image: Path) -> None:
        """Make a read-only ``image`` of what the disk of a running guest holds, by a copy of its newest layer.

        Raises:
            HypervisorError: there is no such disk, or there is such an image already.
        """
        with self._lock:
            if image.exists():
                raise HypervisorError(f"the image {image.name} exists already")
            disk = read_disk(path)
            *below, top = disk.layers
            copied = replace(disk, id=uuid.uuid4().hex[:12], layers=(*below, uuid.uuid4().hex[:12]), is_image=True)
            self._claim(copied)
            target = self._folder / copied.layers[-1]
            (target / "work").mkdir(parents=True)
            run_as_tree_owner(find_program("cp"), "-a", "--", self._folder / top / "files", target)
            write_disk(image, copied)

    def export(self, image: Path, vhd: Path) -> None:
        """Write what an image holds to a fixed-size VHD.

        Raises:
            HypervisorError: there is no such image, or a layer of it could not be read.
        """
        disk = read_disk(image)
        write_vhd(self._folder, disk.layers, disk.size_bytes, vhd)

    def bring_in(self, vhd: Path, image: Path) -> None:
        """Make a read-only image of what a fixed-size VHD holds.

        Raises:
            HypervisorError: it is no such VHD, or there is such an image already.
        """
        with self._lock:
            if image.exists():
                raise HypervisorError(f"the image {image.name} exists already")
            size, layers = read_vhd(self._folder, self._bases, vhd)
            disk = Disk(uuid.uuid4().hex[:12], size, layers, is_image=True)
            self._claim(disk)
            write_disk(image, disk)

    def delete(self, path: Path) -> None:
        """Delete a disk or image and what only it needs; one that does not exist is no error."""
        with self._lock:
            if not path.exists():
                return
            disk = read_disk(path)
            path.unlink()
            for layer in disk.layers:
                (self._claims / f"{layer}.{disk.id}").unlink(missing_ok=True)
                if not layer.startswith("/") and not any(self._claims.glob(f"{layer}.*")):
                    self._remove(self._folder / layer)

    def root_file_system(self, path: Path) -> RootFileSystem:
        """Give what a guest that boots from the disk has as its root.

        Raises:
            HypervisorError: there is no such disk, it is an image, or it is empty.
        """
        disk = read_disk(path)
        if disk.is_image:
            raise HypervisorError(f"the image {path.name} is read-only: boot from a disk made on top of it")
        *below, top = disk.layers
        if not below:
            raise HypervisorError(f"the disk {path.name} is empty: there is nothing to boot from")
        return RootFileSystem(
            folder=self._folder,
            lower=tuple(layer if layer.startswith("/") else f"{layer}/files" for layer in reversed(below)),
            upper=f"{top}/files",
            work=f"{top}/work",
        )

    def _put_on_top(self, path: Path, below: tuple[str, ...], size_bytes: int) -> None:
        disk = Disk(uuid.uuid4().hex[:12], size_bytes, (*below, uuid.uuid4().hex[:12]))
        self._claim(disk)
        for part in ("files", "work"):
            (self._folder / disk.layers[-1] / part).mkdir(parents=True)
        write_disk(path, disk)

    def _claim(self, disk: Disk) -> None:
        for layer in disk.layers:
            if not layer.startswith("/"):
                (self._claims / f"{layer}.{disk.id}").touch()

    def _sweep(self) -> None:
        claimed = {claim.name.partition(".")[0] for claim in self._claims.iterdir()}
        for layer in self._folder.iterdir():
            if layer != self._claims and layer.name not in claimed:
                self._remove(layer)

    def _remove(self, layer: Path) -> None:
        run_as_tree_owner(find_program("rm"), "-rf", "--one-file-system", layer)


def write_disk(path: Path, disk: Disk) -> None:
    """Write the file of a disk, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{disk.id}")
    making.write_text(json.dumps(asdict(disk)), encoding="utf-8")
    making.replace(path)


def read_disk(path: Path) -> Disk:
    """Read the file of a disk.

    Raises:
        HypervisorError: there is none.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HypervisorError(f"there is no disk {path.name}") from error
    return Disk(**{**facts, "layers": tuple(facts["layers"])})
