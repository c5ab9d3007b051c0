"""What is copied from, by its URL: a blob of an account here, or the VHD of a disk that somebody has access to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from verified_images.emulator.storage import disk_blobs
from verified_images.emulator.storage.blob_names import parse_url
from verified_images.emulator.storage.blob_records import file_of, find_blob
from verified_images.emulator.storage.shared_access import check_access
from verified_images.emulator.storage.storage_accounts import find_account
from verified_images.emulator.storage.storage_errors import StorageError, authentication_failed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verified_images.emulator.cloud import Cloud

_READING = ("r", "o")


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of a blob, its type, and what a copy of it takes over."""

    path: Path
    kind: str = "PageBlob"
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def find_source(cloud: Cloud, base_url: str, url: str, *, client: str, is_trusted: bool = False) -> Source:
    """Give the blob at a URL, which has a signature unless the reader ``is_trusted``, or reads its own account.

    Raises:
        StorageError: there is no such blob here, or the signature does not let it be read.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    of_disk = _disk_blob(base_url, url)
    if of_disk is not None:
        return Source(disk_blobs.permitted_file(cloud, of_disk, query.get("sig", "")))
    name = parse_url(url)
    account = find_account(cloud, name.account) if name else None
    if name is None or account is None or not name.blob:
        raise StorageError(404, "ResourceNotFound", "The specified resource does not exist.")
    if "sig" in query:
        check_access(account, name, query, _READING, client)
    elif not is_trusted:
        raise authentication_failed()
    blob = find_blob(cloud, account, name)
    facts: dict[str, Any] = blob.hidden["blob"]
    return Source(file_of(blob).path, facts["type"], facts["headers"], facts["metadata"])


def _disk_blob(base_url: str, url: str) -> dict[str, str] | None:
    """Give what the URL of a disk's VHD names."""
    path = url.partition("?")[0].removeprefix(base_url).split("/")
    match path:
        case ["", "blobs", account, container, "abcd"]:
            return {"account": account, "container": container}
    return None
