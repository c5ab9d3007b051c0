"""What every provisioner works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verified_images.masking import Masker
    from verified_images.naming import Run
    from verified_images.ssh.session import Session


@dataclass(frozen=True, slots=True)
class ProvisionContext:
    """The machine to provision, and where to tell about it.

    ``file`` is the template's, whose folder relative paths start from. ``step`` takes one line about what is done,
    ``output`` the live output of what runs on the machine; both get text without the secrets that ``masker`` knows.
    """

    session: Session
    file: Path
    run: Run
    masker: Masker
    step: Callable[[str], None]
    output: Callable[[str], None]

    @property
    def folder(self) -> Path:
        """The template's folder."""
        return self.file.parent

    def path(self, text: str) -> str:
        """Return a path of the template as one from here; a trailing slash has a meaning and stays."""
        path = str(self.folder / text)
        return path + "/" if text.endswith("/") and not path.endswith("/") else path
