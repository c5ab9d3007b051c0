"""Running a template's post-processors in order, once its image is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.errors import PostProcessorError
from verified_images.post_processors.artifact import Artifact
from verified_images.post_processors.checksum import write_checksums
from verified_images.post_processors.manifest import add_to_manifest
from verified_images.post_processors.shell_local import run_here_after
from verified_images.provisioners.attempt import AttemptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.templates.model import PostProcessor

__all__ = ["Artifact", "run_post_processors"]


def run_post_processors(post_processors: Sequence[PostProcessor], artifact: Artifact) -> None:
    """Run them all, in order.

    Raises:
        PostProcessorError: one failed, and none after it has run; the image is published all the same.
    """
    for index, post_processor in enumerate(post_processors, 1):
        name = next(iter(post_processor.model_fields_set)).replace("_", "-")
        artifact.step(f"post-processor {index} of {len(post_processors)}: {name}")
        try:
            _run(post_processor, artifact)
        except (AttemptError, OSError, ValueError) as error:
            reason = str(error) if isinstance(error, AttemptError) else f": {error}"
            raise PostProcessorError(
                artifact.masker(
                    f"post-processor {index} ({name}) of {artifact.file} failed{reason}; "
                    f"the image '{artifact.id}' is published"
                ),
                kind=name,
                index=index,
            ) from error


def _run(post_processor: PostProcessor, artifact: Artifact) -> None:
    if post_processor.manifest is not None:
        add_to_manifest(post_processor.manifest, artifact)
    if post_processor.checksum is not None:
        write_checksums(post_processor.checksum, artifact)
    if post_processor.shell_local is not None:
        run_here_after(post_processor.shell_local, artifact)
