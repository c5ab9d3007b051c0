"""Unpacking an archive that a machine sent, which may be hostile: nothing is written outside the target folder.

Python's own extraction filters came with 3.11.4, which Debian 12 does not have.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tarfile
    from typing import IO

_MODES = 0o755  # no set-user-ID, and nothing that others can write


class HostileArchiveError(Exception):
    """The archive tried to write outside its folder."""


def extract_tree(archive: tarfile.TarFile, folder: Path) -> tuple[str, ...]:
    """Unpack into ``folder``; return the names of what was left out: devices, and links that lead out of it.

    Raises:
        HostileArchiveError: an entry's name leads out of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    return tuple(member.name for member in archive if not _extract(archive, member, root))


def extract_file(archive: tarfile.TarFile, target: Path) -> None:
    """Write the one file in ``archive`` to ``target``."""
    for member in archive:
        source = archive.extractfile(member) if member.isreg() else None
        if source is not None:
            _write(source, target, member.mode)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> bool:
    target = _inside(root, member.name)
    if target == root:
        return True
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.is_file():
        target.unlink()
    if member.isreg():
        source = archive.extractfile(member)
        if source is not None:
            _write(source, target, member.mode)
    elif member.issym() and _leads_inside(root, target.parent, member.linkname):
        target.symlink_to(member.linkname)
    elif member.islnk():
        shutil.copy2(_inside(root, member.linkname), target)
    else:
        return False
    return True


def _inside(root: Path, name: str) -> Path:
    """Return where ``name`` is in ``root``, links that are already there followed."""
    parts = PurePosixPath(name).parts
    path = root.joinpath(*parts)
    # The last part is not followed: what stands there is replaced.
    resolved = path.parent.resolve() / path.name if path != root else root
    if ".." in parts or not resolved.is_relative_to(root):
        raise HostileArchiveError(f"the archive holds {name!r}, which leads out of its folder")
    return resolved


def _leads_inside(root: Path, folder: Path, link: str) -> bool:
    return not link.startswith("/") and (folder / link).resolve().is_relative_to(root)


def _write(source: IO[bytes], target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 18)
    target.chmod((mode & _MODES) | 0o600)
