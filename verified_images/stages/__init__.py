"""The stages of a build, one file each; ``pipeline.py`` gives their order."""
