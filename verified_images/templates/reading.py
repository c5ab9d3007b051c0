"""Which files a template is read from: noted while it is read, so that others can tell whether it has changed."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_noted: ContextVar[set[Path] | None] = ContextVar("files_read", default=None)


@contextmanager
def noting_files() -> Iterator[set[Path]]:
    """Give a set that fills with the files that templates are read from in this context."""
    files: set[Path] = set()
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def note_read(file: Path) -> None:
    """Note a file that is being read for a template."""
    files = _noted.get()
    if files is not None:
        files.add(file)
