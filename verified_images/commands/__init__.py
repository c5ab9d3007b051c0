"""The commands of ``verified-images``, one file each: how it is called, and what it does."""
