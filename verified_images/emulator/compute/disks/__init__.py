"""Managed disks and snapshots, the files below them, and the disks that are not managed."""
