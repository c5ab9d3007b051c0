"""The files that a template's provisioners name: each must exist when the template is loaded, not an hour later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import ValidationError

from verified_images.templates.nearest import nearest
from verified_images.templates.provisioners import read_provisioner

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.problems import Problems


def check_named_files(folder: Path, entries: object, problems: Problems) -> None:
    """Note a problem for every file that the ``provisioners`` name and that cannot be read.

    Paths are relative to ``folder``. ``entries`` are provisioners or what a template says of them; an entry that is
    wrong itself is passed over.
    """
    for place, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        try:
            provisioner = read_provisioner(entry)
        except ValidationError:
            continue
        for keys, name in provisioner.named_files():
            if (message := mistake_about(folder, name)) is not None:
                problems.add(("provisioners", place, provisioner.kind, *keys), message)


def mistake_about(folder: Path, name: str) -> str | None:
    """Return what is wrong with the file that a template names, or None if it can be read."""
    path = folder / name
    try:
        if not path.exists():
            return f"there is no file '{name}' beside the template{_nearest_file(path)}"
        if not os.access(path, os.R_OK):
            return f"the file '{name}' cannot be read: permission denied"
    except (OSError, ValueError) as error:  # a name that no file can have
        return f"'{name[:100]}' cannot be a file: {getattr(error, 'strerror', None) or error}"
    return None


def _nearest_file(path: Path) -> str:
    try:
        found = nearest(path.name, (sibling.name for sibling in path.parent.iterdir()))
    except OSError:
        return f"; there is no folder '{path.parent}' either"
    return f"; did you mean '{found}'?" if found else ""
