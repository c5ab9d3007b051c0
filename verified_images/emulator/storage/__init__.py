"""Blobs as Azure Storage serves them: what a shared access signature of a disk leads to."""
