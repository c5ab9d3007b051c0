"""Files and folders to and from a machine, each as one stream."""

from __future__ import annotations

import errno
import logging
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from verified_images.ssh.quoting import quote_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Write = Callable[[bytes], None]

log = logging.getLogger(__name__)

_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whom the uploaded files shall belong to and with which mode; None leaves the far side's default.

    Without ``mode`` each file keeps the one that it has here; folders always do.
    """

    owner: str | None = None
    group: str | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A remote program and what to feed it."""

    program: str
    feed: Callable[[Write], None]


def upload_file(source: Path, destination: str, ownership: Ownership) -> Upload:
    """Put the file ``source`` at ``destination``, or into it when that is a folder or ends with a slash.

    Raises:
        OSError: the file cannot be read, or is a pipe, which would be waited for and can be read only once.
    """
    if source.is_fifo():
        raise OSError(errno.ESPIPE, "it is a pipe: write it to a file first", str(source))
    with source.open("rb"):
        mode = ownership.mode if ownership.mode is not None else stat.S_IMODE(source.stat().st_mode)

    def feed(write: Write) -> None:
        with source.open("rb") as file:
            for piece in _pieces(file):
                write(piece)

    return Upload(_file_program(source.name, destination, ownership, mode), feed)


def upload_content(content: bytes, destination: str, ownership: Ownership) -> Upload:
    """Write ``content`` to the file ``destination``; a file made for it has mode 0644 unless told otherwise."""
    mode = ownership.mode if ownership.mode is not None else 0o644
    return Upload(_file_program("", destination, ownership, mode), lambda write: write(content))


def upload_tree(sources: Sequence[str], destination: str, ownership: Ownership, user: str) -> Upload:
    """Put files and folders into the folder ``destination``, which is made when it is missing.

    As with rsync and Packer: ``folder/`` means what is in the folder, ``folder`` the folder itself. Symbolic links
    in a folder stay links. Folders that exist there keep owner and mode. ``user`` is who writes them.

    Raises:
        OSError: a source cannot be read.
    """
    for source in sources:
        Path(source).stat()

    def feed(write: Write) -> None:
        sink = cast("IO[bytes]", _Sink(write))  # tarfile calls nothing but write
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT, bufsize=_PIECE) as archive:
            for source in sources:
                _add(archive, source, ownership, user)

    return Upload(_tree_program(destination, ownership), feed)


_CHECK_OWNER = 'id -u -- {name} >/dev/null 2>&1 || {{ echo "there is no user "{name} >&2; exit 1; }}\n'
_CHECK_GROUP = (
    "grep -q -e '^'{name}: /etc/group || getent group {name} >/dev/null || "
    '{{ echo "there is no group "{name} >&2; exit 1; }}\n'
)
_FILE = """set -e
to={to}
if [ -d "$to" ] || [ {is_folder} = yes ]; then
  mkdir -p -- "$to"
  to=${{to%/}}/{name}
else
  mkdir -p -- "$(dirname -- "$to")"
fi
(umask 077; cat >"$to")
{chown}chmod -- {mode:04o} "$to"
"""
_TREE = """{checks}set -e
mkdir -p -- {to}
cd -- {to}
set -- {ownership}
case $(tar --version 2>/dev/null) in
  *GNU*) set -- "$@" --no-overwrite-dir --keep-directory-symlink --warning=no-timestamp {gnu_ownership};;
esac
exec tar "$@" -x -p -f -
"""


def _file_program(name: str, destination: str, ownership: Ownership, mode: int) -> str:
    whom = (ownership.owner or "") + (f":{ownership.group}" if ownership.group else "")
    return _FILE.format(
        to=quote_text(destination),
        is_folder="yes" if destination.endswith("/") else "no",
        name=quote_text(name),
        chown=f'chown -- {quote_text(whom)} "$to"\n' if whom else "",
        mode=mode,
    )


def _tree_program(destination: str, ownership: Ownership) -> str:
    checks = ""
    if ownership.owner and not ownership.owner.isdigit():
        checks += _CHECK_OWNER.format(name=quote_text(ownership.owner))
    if ownership.group and not ownership.group.isdigit():
        checks += _CHECK_GROUP.format(name=quote_text(ownership.group))
    owned = bool(ownership.owner or ownership.group)
    return _TREE.format(
        checks=checks,
        to=quote_text(destination),
        ownership="" if owned else "-o",
        gnu_ownership="--same-owner" if owned else "",
    )


def _add(archive: tarfile.TarFile, source: str, ownership: Ownership, user: str) -> None:
    def tell(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return _told(info, ownership, user)

    path = Path(source)
    if path.is_dir() and (source.endswith("/") or path.name in {"", ".."}):
        for entry in sorted(path.iterdir()):
            archive.add(entry, entry.name, filter=tell)
    else:
        archive.add(path.resolve(), path.name, filter=tell)


def _told(info: tarfile.TarInfo, ownership: Ownership, user: str) -> tarfile.TarInfo | None:
    """Write into the archive whose the entry shall be and with which mode; None leaves it out."""
    if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        log.warning("%s is neither file, folder nor link: not uploaded", info.name)
        return None
    owner, group = ownership.owner or user, ownership.group or user
    info.uid, info.uname = (int(owner), "") if owner.isdigit() else (0, owner)
    info.gid, info.gname = (int(group), "") if group.isdigit() else (0, group)
    if ownership.mode is not None and info.isreg():
        info.mode = ownership.mode
    return info


class _Sink:
    """The writing half of a file, for tarfile."""

    def __init__(self, write: Write) -> None:
        self.write = write


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
