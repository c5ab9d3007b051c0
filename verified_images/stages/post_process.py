"""Post-process: what the template does here with its published image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.post_processors import Artifact, run_post_processors

if TYPE_CHECKING:
    from verified_images.stages.context import BuildContext
    from verified_images.stages.publish import PublishedImage


def post_process(context: BuildContext, published: PublishedImage) -> None:
    """Run the template's post-processors in order.

    Raises:
        PostProcessorError: one failed; the image stays published.
    """
    template = context.template
    if not template.post_processors:
        return
    run_post_processors(
        template.post_processors,
        Artifact(
            ids=published.ids,
            name=template.name,
            file=template.file,
            run=context.run,
            masker=context.masker,
            step=context.output.step,
            output=context.output.text,
        ),
    )
