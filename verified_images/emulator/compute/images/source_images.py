"""What an image reference of a machine leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.hypervisor import Generation


@dataclass(frozen=True, slots=True)
class SourceDataDisk:
    """A data disk of an image; ``files`` are the frozen files that it stands on, the nearest first.

    ``encryption_set`` is the id of the disk encryption set that a disk made from it gets, empty for none.
    """

    lun: int
    size_gb: int
    files: tuple[str, ...]
    caching: str = "None"
    encryption_set: str = ""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image to boot from. ``open_disk`` gives its disk and may take long: a Marketplace image is built then.

    ``files`` are the frozen files that a disk made from it stands on, none for a Marketplace image. ``os_state`` is
    ``Generalized`` or ``Specialized``; ``exact_version`` is set for Marketplace images and gallery versions;
    ``security_type`` is that of a gallery definition, empty when it has none. ``data_disks`` are those that a machine
    made from the image has beside its OS disk, ``encryption_set`` is the id of the disk encryption set of an OS disk.
    """

    open_disk: Callable[[], Path]
    generation: Generation
    size_gb: int
    files: tuple[str, ...] = ()
    os_type: str = "Linux"
    os_state: str = "Generalized"
    architecture: str = "x64"
    exact_version: str = ""
    security_type: str = ""
    data_disks: tuple[SourceDataDisk, ...] = ()
    encryption_set: str = ""
