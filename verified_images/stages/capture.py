"""Capture: turn the tested machine into a candidate image that nobody picks up by accident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.stages.preflight import BuildPlan


@dataclass(frozen=True, slots=True)
class CapturedImage:
    """The candidates made from the generalized VM ``machine_id``; at least one of the two is there.

    ``gallery_version`` and ``managed_image`` are ARM ids; the managed one lies in the temporary group.
    """

    plan: BuildPlan
    machine_id: str
    gallery_version: str | None = None
    managed_image: str | None = None

    @property
    def id(self) -> str:
        """The ARM id of the image that the scale set is deployed from: the gallery's where there are both."""
        return self.gallery_version or self.managed_image or ""
