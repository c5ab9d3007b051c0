"""The Marketplace image of the fake: the tree of `root_tree`, made once for all that share a cache."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.base_image.marketplace import IMAGES
from verified_images.emulator.fake.disks import MARKETPLACE_SIZE, Disk, write_disk
from verified_images.emulator.fake.root_tree import build_root, root_fingerprint
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.hypervisor import Generation


def base_images(cache: Path) -> Path:
    """Give the folder of the folders of all Marketplace images."""
    return cache / "base-images"


def marketplace_disk(urn: str, generation: Generation, cache: Path, progress: Callable[[str], None]) -> Path:
    """Give the disk of a Marketplace image, built at first use; names are compared as Azure does, in any case.

    Raises:
        HypervisorError: there is no such image here, it is of another generation, or it could not be built.
    """
    known = {name.lower(): its_generation for name, its_generation in IMAGES.items()}
    found = known.get(urn.lower())
    if found is None:
        raise HypervisorError(f"the Marketplace image {urn} does not exist here; there are: {', '.join(IMAGES)}")
    if found != generation:
        raise HypervisorError(f"the Marketplace image {urn} is of generation {found}, not {generation}")
    folder = base_images(cache) / f"fake-debian-12-{root_fingerprint()}"
    if not folder.exists():
        progress("making the file system of Debian 12 for guests of the fake hypervisor")
        _build(folder)
    return folder / "disk.json"


def _build(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fake-debian-12-", dir=folder.parent) as scratch:
        making = Path(scratch) / "making"
        (making / "files").mkdir(parents=True)
        build_root(making / "files")
        layers = (str(folder / "files"),)
        write_disk(making / "disk.json", Disk(folder.name, MARKETPLACE_SIZE, layers, is_image=True))
        try:
            making.rename(folder)
        except OSError:
            # Another process was faster; what it made is the same.
            if not folder.exists():
                raise
