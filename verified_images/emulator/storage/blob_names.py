"""The names of containers and blobs: in URLs, and as resources under their account.

An account's blobs are at ``https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB`` for clients that are led here from
Azure's names, and at ``https://127.0.0.1:PORT/ACCOUNT/CONTAINER/BLOB`` for all others. Source: Azure Storage, "Naming
and referencing containers, blobs, and metadata", and its page on local development for the second form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from verified_images.emulator.azure_hosts import BLOB_SUFFIX, stands_for_azure
from verified_images.emulator.storage.storage_errors import StorageError

if TYPE_CHECKING:
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.wire import Request

BLOB_TYPE = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
CONTAINER_TYPE = BLOB_TYPE.rpartition("/")[0]
ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
"""How accounts are named."""
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])*|\$(?:root|web|logs)")
_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})\.blob\.[a-z0-9.-]+", re.IGNORECASE)
_LOCAL = {"127.0.0.1", "localhost"}
_SHORTEST, _LONGEST, _LONGEST_BLOB = 3, 63, 1024


@dataclass(frozen=True, slots=True)
class BlobName:
    """What a URL of the blob service names: an account, a container of it, or a blob, which may have slashes."""

    account: str
    container: str = ""
    blob: str = ""


def parse_url(url: str) -> BlobName | None:
    """Give what a URL, whose query is ignored, names in the blob service; None for one of something else."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return parse_path(parts.hostname, parts.path)


def parse_path(host: str, path: str) -> BlobName | None:
    """Give what a path, as it is in a URL, names in the blob service at a host; None for one of something else."""
    segments = path.lstrip("/").split("/", 1 if (match := _HOST.fullmatch(host)) else 2)
    if match:
        segments.insert(0, match["account"].lower())
    elif host.lower() not in _LOCAL or not ACCOUNT.fullmatch(segments[0]):
        return None
    return BlobName(*map(unquote, segments))


def named_by(request: Request) -> BlobName | None:
    """Give what a call names in the blob service; None for a call of Resource Manager."""
    host = urlsplit(request.base_url).hostname or ""
    return parse_path(host, request.raw_path)


def blob_endpoint(account: str, base_url: str) -> str:
    """Give where an account's blobs are for a client that has called ``base_url``."""
    return f"https://{account}{BLOB_SUFFIX}/" if stands_for_azure(base_url) else f"{base_url}/{account}/"


def container_id(account: ResourceId, container: str) -> ResourceId:
    """Give the id of a container."""
    return account.child("blobServices", "default").child("containers", container)


def blob_id(account: ResourceId, container: str, blob: str) -> ResourceId:
    """Give the id of a blob: ids are the same without regard to case, the names of blobs are not."""
    name = "".join(f"%{ord(each):02x}" if each in ascii_uppercase else quote(each, safe="") for each in blob)
    return container_id(account, container).child("blobs", name)


def check_container_name(name: str) -> None:
    """Refuse what cannot be the name of a container.

    Raises:
        StorageError: 400.
    """
    if not _SHORTEST <= len(name) <= _LONGEST:
        raise StorageError(
            400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
    if not _CONTAINER.fullmatch(name):
        raise StorageError(400, "InvalidResourceName", "The specified resource name contains invalid characters.")


def check_blob_name(name: str) -> None:
    """Refuse what cannot be the name of a blob.

    Raises:
        StorageError: 400.
    """
    if not 1 <= len(name) <= _LONGEST_BLOB:
        raise StorageError(
            400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
