"""What a template does here once the image is published: its ``post_processors``, a file for each kind."""

from verified_images.post_processors.run import Artifact, run_post_processors

__all__ = ["Artifact", "run_post_processors"]
