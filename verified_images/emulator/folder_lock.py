"""Folders that one process at a time may use; the system takes the lock away however that process ends."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FolderInUseError(Exception):
    """Another process has the folder: ``owner`` is its id, or "unknown"."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(f"the folder {folder} is in use by process {owner}")
        self.owner = owner


def lock_folder(folder: Path, name: str = ".lock") -> Callable[[], None]:
    """Take the lock of a folder, which is the file ``name`` in it; give what releases it.

    Raises:
        FolderInUseError: another process has it.
    """
    file = (folder / name).open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise FolderInUseError(folder, owner or "unknown") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file.close
