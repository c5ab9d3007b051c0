"""Which Marketplace images exist here, under the names that Azure gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.base_image.builder import debian_disk
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.emulator.hypervisor import Generation

IMAGES: dict[str, Generation] = {"Debian:debian-12:12": "V1", "Debian:debian-12:12-gen2": "V2"}
"""The generation of each image, by ``publisher:offer:sku``."""


def marketplace_disk(urn: str, generation: Generation, cache: Path, progress: Callable[[str], None]) -> Path:
    """Give the disk of a Marketplace image, built at first use; names are compared as Azure does, in any case.

    Raises:
        HypervisorError: there is no such image here, it is of another generation, or it could not be built.
    """
    known = {name.lower(): (name, its_generation) for name, its_generation in IMAGES.items()}
    found = known.get(urn.lower())
    if found is None:
        raise HypervisorError(f"the Marketplace image {urn} does not exist here; there are: {', '.join(IMAGES)}")
    name, its_generation = found
    if generation != its_generation:
        raise HypervisorError(f"the Marketplace image {name} is of generation {its_generation}, not {generation}")
    return debian_disk(cache, progress)
