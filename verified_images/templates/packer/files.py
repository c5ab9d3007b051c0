"""The files that a Packer template names.

Packer looks for them in the folder that it is run from, and in HCL's functions in the template's own. Here the
template's folder comes first, and the folder of the run second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from verified_images.templates.files import mistake_about
from verified_images.templates.reading import note_read

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE = 1024 * 1024
"""Larger files are not read into a template, in bytes."""


class Folders(NamedTuple):
    """Where files are looked for: the template's folder, and that which the run was started in."""

    template: Path
    working: Path


def resolve(folders: Folders, name: str) -> str:
    """Return a name as the template's folder knows it: the one given, unless the file is in another folder alone.

    These are the one that the run was started in, and those above the template up to that of its repository. A name
    with backslashes, as templates for Windows have them, is also looked for with slashes.
    """
    for written in dict.fromkeys((name, name.replace("\\", "/"))):
        try:
            if (folders.template / written).exists():
                return written
            for folder in (folders.working, *_above(folders.template.absolute())):
                if (folder / written).exists():
                    return f"{folder / written}" + ("/" if written.endswith("/") else "")
        except (OSError, ValueError):  # a name that no file can have
            continue
    return name


def _above(folder: Path) -> tuple[Path, ...]:
    """Return the folders above one up to that of its repository, for which templates are often written."""
    parents = tuple(folder.parents)
    top = next((place for place, parent in enumerate(parents) if (parent / ".git").exists()), None)
    return () if top is None or (folder / ".git").exists() else parents[: top + 1]


def mistake_about_file(folders: Folders, name: str) -> str | None:
    """Return what is wrong with a file that a template names, or None if it can be read."""
    mistake = mistake_about(folders.template, resolve(folders, name))
    if mistake is None or folders.working == folders.template.absolute() or name.startswith("/"):
        return mistake
    return mistake.replace(" beside the template", f" beside the template or in '{folders.working}'", 1)


def read_named_file(folders: Folders, name: str) -> bytes | str:
    """Return what is in a file, or the sentence that says why it cannot be read."""
    name = resolve(folders, name)
    if (mistake := mistake_about_file(folders, name)) is not None:
        return mistake
    try:
        with (folders.template / name).open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        note_read(folders.template / name)
    except OSError as error:
        return f"'{name}' cannot be read: {error.strerror}"
    return content if len(content) <= LARGEST_FILE else f"'{name}' is larger than {LARGEST_FILE // 1024} KiB"
