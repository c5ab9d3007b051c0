"""Files and folders from a machine, as one tar stream."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from verified_images.ssh.arrivals import STDOUT
from verified_images.ssh.extraction import extract_file, extract_tree
from verified_images.ssh.quoting import quote_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.ssh.output import Collector

_PIECE = 1 << 18

_PROGRAM = """set -e
from={source}
[ -e "$from" ] || {{ echo "there is no $from" >&2; exit 1; }}
if [ -d "$from" ]; then
  cd -- "$from"
  exec tar -c -f - .
fi
cd -- "$(dirname -- "$from")"
exec tar -c -h -f - "./$(basename -- "$from")"
"""


def download_program(remote: str) -> str:
    """Return the remote program that writes ``remote`` to its standard output as an archive."""
    return _PROGRAM.format(source=quote_text(remote))


def unpack(pieces: Iterator[tuple[int, bytes]], collector: Collector, remote: str, local: str) -> tuple[str, ...]:
    """Unpack the archive in ``pieces``, all of them; return the names of what was left out.

    What comes on standard error goes to ``collector``.

    Raises:
        TarError: the stream is not a whole archive.
        HostileArchiveError: it leads out of ``local``.
    """
    source = _Source(pieces, collector)
    name = PurePosixPath(remote).name
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", bufsize=_PIECE) as archive:
        first = archive.next()
        if first is not None and first.isdir():
            folder = Path(local) if remote.endswith("/") or not name else Path(local, name)
            return extract_tree(archive, folder)
        target = Path(local)
        extract_file(archive, target / name if target.is_dir() or local.endswith("/") else target)
    return ()


class _Source:
    """The reading half of a file over what comes on standard output."""

    def __init__(self, pieces: Iterator[tuple[int, bytes]], collector: Collector) -> None:
        self._pieces = pieces
        self._collector = collector
        self._pending = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._pending) < size:
            stream, piece = next(self._pieces, (STDOUT, b""))
            if stream != STDOUT:
                self._collector.add(stream, piece)
            elif piece:
                self._pending += piece
            else:
                break
        data = bytes(self._pending[:size])
        del self._pending[:size]
        return data
