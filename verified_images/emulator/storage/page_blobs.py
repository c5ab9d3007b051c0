"""A file served as a blob: read in ranges and, as a page blob, written in pages of 512 bytes.

Served are Get Blob, Get Blob Properties, Get Page Ranges, and Put Page with update and clear. Source: Azure Storage,
"Blob service".
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING

from verified_images.emulator.storage.storage_errors import (
    VERSION,
    StorageError,
    condition_not_met,
    invalid_header,
    missing_header,
    not_found,
)
from verified_images.emulator.wire import Answer, FilePart, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PAGE = 512
"""The bytes of a page."""
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_MOST_WRITTEN = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class PageBlob:
    """A page blob that is kept in a file of its own length; ``own`` are headers of its answers beside those of all."""

    path: Path
    own: Mapping[str, str] = field(default_factory=dict)

    def read(self, request: Request) -> Answer:
        """Answer a GET or HEAD: the blob or a range of it, its properties, or its page ranges."""
        size, headers = self.facts()
        check_conditions(request, headers["ETag"])
        if request.query.get("comp") == "pagelist":
            return self._list_pages(request, size, headers)
        if "comp" in request.query:
            raise _unsupported(request)
        is_part = read_range(request) is not None and request.method == "GET"
        start, end = read_range(request) or (0, None)
        end = size - 1 if end is None else min(end, size - 1)
        if start > end and is_part:
            raise StorageError(
                416, "InvalidRange", "The range specified is invalid for the current size of the resource."
            )
        if request.method == "HEAD":
            start, end = 0, size - 1
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        headers |= {"Accept-Ranges": "bytes", "Content-Length": str(end - start + 1)}
        return Answer(206 if is_part else 200, FilePart(self.path, start, end - start + 1), headers)

    def write(self, request: Request) -> Answer:
        """Answer a Put Page: update a range with the body, or clear it."""
        size, headers = self.facts()
        check_conditions(request, headers["ETag"])
        if request.query.get("comp") != "page":
            raise _unsupported(request)
        start, end = read_range(request) or (0, None)
        if end is None:
            raise missing_header("x-ms-range")
        if start % PAGE or (end + 1) % PAGE or start > end or end >= size:
            raise StorageError(416, "InvalidPageRange", "The page range specified is invalid.")
        length, mode = end - start + 1, request.headers.get("x-ms-page-write", "").lower()
        if mode == "update":
            _check_content(request, length)
            self.write_at(start, request.content)
        elif mode == "clear":
            for offset in range(start, end + 1, _MOST_WRITTEN):
                self.write_at(offset, bytes(min(_MOST_WRITTEN, end + 1 - offset)))
        else:
            raise invalid_header("x-ms-page-write")
        return Answer(201, None, self.written())

    def written(self) -> dict[str, str]:
        """Give the headers that answer a write."""
        _, headers = self.facts()
        names = ("ETag", "Last-Modified", "x-ms-blob-sequence-number", "x-ms-version")
        kept = {name: headers[name] for name in names if name in headers}
        return {**kept, "x-ms-request-server-encrypted": "true"}

    def write_at(self, start: int, content: bytes) -> None:
        """Put bytes into the file, which they do not make longer."""
        file = os.open(self.path, os.O_WRONLY)
        try:
            os.pwrite(file, content, start)
        finally:
            os.close(file)

    def facts(self) -> tuple[int, dict[str, str]]:
        """Give the blob's length and the headers that tell of it.

        Raises:
            StorageError: 404: it is gone.
        """
        try:
            facts = self.path.stat()
        except FileNotFoundError as error:
            raise not_found("blob") from error
        return facts.st_size, {
            "Content-Type": "application/octet-stream",
            "Last-Modified": formatdate(facts.st_mtime, usegmt=True),
            "ETag": f'"0x{facts.st_mtime_ns:X}"',
            "x-ms-version": VERSION,
            "x-ms-blob-type": "PageBlob",
            "x-ms-blob-sequence-number": "0",
            "x-ms-lease-status": "unlocked",
            "x-ms-lease-state": "available",
            "x-ms-server-encrypted": "true",
            **self.own,
        }

    def _list_pages(self, request: Request, size: int, headers: dict[str, str]) -> Answer:
        start, end = read_range(request) or (0, None)
        stop = size if end is None else min(end + 1, size)
        ranges = "".join(
            f"<PageRange><Start>{first}</Start><End>{last}</End></PageRange>"
            for first, last in written_pages(self.path, start, stop)
        )
        body = f'<?xml version="1.0" encoding="utf-8"?><PageList>{ranges}</PageList>'
        return Answer(
            200,
            body.encode(),
            {**headers, "Content-Type": "application/xml", "x-ms-blob-content-length": str(size)},
        )


def written_pages(path: Path, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Give first and last byte of each part of a file that is not a hole, in whole pages."""
    file = os.open(path, os.O_RDONLY)
    try:
        while start < stop:
            try:
                first = os.lseek(file, start, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole follows
                return
            if first >= stop:
                return
            after = os.lseek(file, first, os.SEEK_HOLE)
            first, after = first // PAGE * PAGE, min(-(-after // PAGE) * PAGE, stop)
            yield first, after - 1
            start = after
    finally:
        os.close(file)


def read_range(request: Request) -> tuple[int, int | None] | None:
    """Give first and last byte of the range that a call asks for, the last None where it is open; None for no range.

    Raises:
        StorageError: 400: it is no range.
    """
    given = request.headers.get("x-ms-range") or request.headers.get("range")
    return None if given is None else parse_range(given)


def parse_range(text: str) -> tuple[int, int | None]:
    """Give first and last byte of a range as headers have it, the last None where it is open.

    Raises:
        StorageError: 400: it is no range.
    """
    match = _RANGE.fullmatch(text.replace(" ", ""))
    if match is None:
        raise invalid_header("Range")
    return int(match[1]), int(match[2]) if match[2] else None


def check_conditions(request: Request, etag: str) -> None:
    """Refuse a call on a blob that is there, unless its If-Match and If-None-Match hold.

    Raises:
        StorageError: 412, or 304 for a read of what the caller has.
    """
    if request.headers.get("if-match") not in {None, "*", etag}:
        raise condition_not_met()
    if request.headers.get("if-none-match") in {"*", etag}:
        raise StorageError(304, "ConditionNotMet", "") if request.method in {"GET", "HEAD"} else condition_not_met()


def _check_content(request: Request, length: int) -> None:
    if len(request.content) != length:
        raise invalid_header("Content-Length")
    check_md5(request)


def check_md5(request: Request) -> None:
    """Refuse a body that is not the one whose MD5 value the call tells.

    Raises:
        StorageError: 400 Md5Mismatch.
    """
    given = request.headers.get("content-md5")
    computed = base64.b64encode(hashlib.md5(request.content, usedforsecurity=False).digest()).decode()
    if given and given != computed:
        raise StorageError(
            400,
            "Md5Mismatch",
            "The MD5 value specified in the request did not match the MD5 value calculated by the server.",
        )


def _unsupported(request: Request) -> StorageError:
    return StorageError(
        400,
        "InvalidQueryParameterValue",
        f"Value for one of the query parameters specified in the request URI is invalid: a {request.method} with "
        f"comp={request.query.get('comp', '')} is not emulated for page blobs.",
    )
