"""The ``checksum`` post-processor: an image in Azure has no files here, so that there is nothing to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.post_processors.artifact import Artifact
    from verified_images.templates.model import Checksum


def write_checksums(_checksum: Checksum, artifact: Artifact) -> None:
    """Say that there is nothing to write, as Packer's own writes nothing for an artifact without files."""
    artifact.step("no checksums are written: an image in Azure has no files here")
