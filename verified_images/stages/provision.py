"""Provision: boot the build VM from the pinned source and run the template's provisioners on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.stages.machine import Machine
    from verified_images.stages.preflight import BuildPlan


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The build VM with every provisioner applied."""

    plan: BuildPlan
    machine: Machine

    @property
    def source_version(self) -> str:
        """The exact version of the source image that the machine was booted from."""
        return self.plan.source.version
