"""A file served as a page blob: read in ranges, written in pages of 512 bytes. Source: Azure Storage, "Blob service".

Served are Get Blob, Get Blob Properties, Get Page Ranges, and Put Page with update and clear.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from verified_images.emulator.storage.storage_errors import VERSION, StorageError, invalid_header
from verified_images.emulator.wire import Answer, FilePart, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE = 512
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_MOST_WRITTEN = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class PageBlob:
    """A page blob that is kept in a file of its own length."""

    path: Path

    def read(self, request: Request) -> Answer:
        """Answer a GET or HEAD: the blob or a range of it, its properties, or its page ranges."""
        size, headers = self._facts()
        _check_condition(request, headers["ETag"])
        if request.query.get("comp") == "pagelist":
            return self._list_pages(request, size, headers)
        if "comp" in request.query:
            raise _unsupported(request)
        start, end = _range(request) or (0, None)
        end = size - 1 if end is None else min(end, size - 1)
        if start > end:
            raise StorageError(
                416, "InvalidRange", "The range specified is invalid for the current size of the resource."
            )
        is_part = _range(request) is not None and request.method == "GET"
        if request.method == "HEAD":
            start, end = 0, size - 1
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        headers |= {"Accept-Ranges": "bytes", "Content-Length": str(end - start + 1)}
        return Answer(206 if is_part else 200, FilePart(self.path, start, end - start + 1), headers)

    def write(self, request: Request) -> Answer:
        """Answer a Put Page: update a range with the body, or clear it."""
        size, headers = self._facts()
        _check_condition(request, headers["ETag"])
        if request.query.get("comp") != "page":
            raise _unsupported(request)
        start, end = _range(request) or (0, None)
        if end is None:
            raise StorageError(
                400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified."
            )
        if start % _PAGE or (end + 1) % _PAGE or start > end or end >= size:
            raise StorageError(416, "InvalidPageRange", "The page range specified is invalid.")
        length, mode = end - start + 1, request.headers.get("x-ms-page-write", "").lower()
        if mode == "update":
            _check_content(request, length)
            self._write_at(start, request.content)
        elif mode == "clear":
            for offset in range(start, end + 1, _MOST_WRITTEN):
                self._write_at(offset, bytes(min(_MOST_WRITTEN, end + 1 - offset)))
        else:
            raise invalid_header("x-ms-page-write")
        _, headers = self._facts()
        kept = {name: headers[name] for name in ("ETag", "Last-Modified", "x-ms-blob-sequence-number", "x-ms-version")}
        return Answer(201, None, {**kept, "x-ms-request-server-encrypted": "true"})

    def _write_at(self, start: int, content: bytes) -> None:
        file = os.open(self.path, os.O_WRONLY)
        try:
            os.pwrite(file, content, start)
        finally:
            os.close(file)

    def _facts(self) -> tuple[int, dict[str, str]]:
        try:
            facts = self.path.stat()
        except FileNotFoundError as error:
            raise StorageError(404, "BlobNotFound", "The specified blob does not exist.") from error
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
        }

    def _list_pages(self, request: Request, size: int, headers: dict[str, str]) -> Answer:
        start, end = _range(request) or (0, None)
        stop = size if end is None else min(end + 1, size)
        ranges = "".join(
            f"<PageRange><Start>{first}</Start><End>{last}</End></PageRange>"
            for first, last in self._written_pages(start, stop)
        )
        body = f'<?xml version="1.0" encoding="utf-8"?><PageList>{ranges}</PageList>'
        return Answer(
            200,
            body.encode(),
            {**headers, "Content-Type": "application/xml", "x-ms-blob-content-length": str(size)},
        )

    def _written_pages(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Give first and last byte of each part of the file that is not a hole, in whole pages."""
        file = os.open(self.path, os.O_RDONLY)
        try:
            while start < stop:
                try:
                    first = os.lseek(file, start, os.SEEK_DATA)
                except OSError:  # ENXIO: nothing but a hole follows
                    return
                if first >= stop:
                    return
                after = os.lseek(file, first, os.SEEK_HOLE)
                first, after = first // _PAGE * _PAGE, min(-(-after // _PAGE) * _PAGE, stop)
                yield first, after - 1
                start = after
        finally:
            os.close(file)


def _range(request: Request) -> tuple[int, int | None] | None:
    given = request.headers.get("x-ms-range") or request.headers.get("range")
    if given is None:
        return None
    match = _RANGE.fullmatch(given.replace(" ", ""))
    if match is None:
        raise invalid_header("Range")
    return int(match[1]), int(match[2]) if match[2] else None


def _check_condition(request: Request, etag: str) -> None:
    wanted = request.headers.get("if-match")
    if wanted not in {None, "*", etag}:
        raise StorageError(
            412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
        )


def _check_content(request: Request, length: int) -> None:
    if len(request.content) != length:
        raise invalid_header("Content-Length")
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
