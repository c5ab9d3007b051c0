"""The stages of a spec, in the order in which they run: those of the build, and those of its tests between them."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """One stage of a spec; iterating gives the order."""

    PREFLIGHT = "preflight"
    PROVISION = "provision"
    MACHINE = "machine"
    CAPTURE = "capture"
    IMAGE = "image"
    DEPLOY = "deploy"
    SCALE_SET = "scale_set"
    PUBLISH = "publish"
    CLEANUP = "cleanup"

    @property
    def rank(self) -> int:
        """The place of the stage in the order, from 0."""
        return _RANKS[self]


_RANKS = {stage: rank for rank, stage in enumerate(Stage)}

TESTED_AFTER = {Stage.MACHINE: Stage.PROVISION, Stage.IMAGE: Stage.CAPTURE, Stage.SCALE_SET: Stage.DEPLOY}
"""The stages that tests belong to, each with the stage of the build that has to be done before."""

WITHOUT_MACHINES = (Stage.PREFLIGHT, Stage.CLEANUP)
"""The stages that are done also of specs that may have no machines yet."""

BUILD_STAGES = tuple(stage for stage in Stage if stage not in TESTED_AFTER)
"""The stages that are items of the template file."""
