"""Publish: make the verified image visible at its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """What others can use from now on: ARM ids of the images, the gallery version and the regions it is in."""

    ids: tuple[str, ...]
    version: str | None
    regions: tuple[str, ...]
