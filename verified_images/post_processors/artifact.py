"""What post-processors work on: the image that was published, and where to tell of what they do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.masking import Masker
    from verified_images.naming import Run

BUILDER_TYPE = "azure-arm"


@dataclass(frozen=True, slots=True)
class Artifact:
    """The published image: its ARM ids, that of the managed image first, and the run that it is of.

    ``file`` is the template's, whose folder relative paths start from. ``step`` takes one line about what is done,
    ``output`` the live output of what is run; both get text without the secrets that ``masker`` knows.
    """

    ids: tuple[str, ...]
    name: str
    file: Path
    run: Run
    masker: Masker
    step: Callable[[str], None]
    output: Callable[[str], None]

    @property
    def id(self) -> str:
        """The ARM id that stands for the image where there is room for one."""
        return self.ids[0]

    @property
    def run_uuid(self) -> str:
        """The run's id as the UUID that Packer's formats have room for; it is the same each time."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.run.id))
