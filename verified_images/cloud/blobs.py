"""Blobs in a container of a storage account: copied to, looked at, and deleted. Source: Azure Storage, "Blob service".

A blob has an id as resources have, so that journals and clean-up know it: that of its container and its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from verified_images.cloud.ids import parse_id, resource_id
from verified_images.cloud.storage_accounts import authorization, find_account
from verified_images.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.core import PipelineClient

    from verified_images.cloud.operations import Arm
    from verified_images.cloud.storage_accounts import StorageAccount

_VERSION = "2021-12-02"
_METADATA = "x-ms-meta-"
_PENDING_COPY = "PendingCopyOperation"


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob: its length in bytes, its metadata by lower-case name, and how the copy that it is made by goes.

    ``status`` is ``pending``, ``success``, ``aborted`` or ``failed``, and empty where it is no copy.
    """

    size: int
    metadata: Mapping[str, str]
    copy_id: str
    status: str
    progress: str
    description: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container that can be written to; ``url`` has no slash at its end."""

    arm: Arm
    url: str
    client: PipelineClient[Any, Any]

    def url_of(self, name: str) -> str:
        """Return the address of a blob."""
        return f"{self.url}/{quote(name)}"

    def exists(self) -> bool:
        """Tell whether the container is there, and lets us in.

        Raises:
            CloudError: Azure Storage did not let us in.
        """
        url = f"{self.url}?restype=container"
        return self.arm.find("get container", self.url, lambda: self._send("GET", url)) is not None

    def create(self) -> None:
        """Make the container; nobody without a permission reads what is in it."""
        url = f"{self.url}?restype=container"
        self.arm.call("create container", self.url, lambda: self._send("PUT", url))

    def begin_copy(self, name: str, source: str, metadata: Mapping[str, str]) -> None:
        """Begin to copy to a blob what is at a URL, which carries its own permission.

        Raises:
            CloudError: Azure Storage refused it.
        """
        headers = {"x-ms-copy-source": source, **_metadata_headers(metadata)}
        try:
            self.arm.call("copy to blob", name, lambda: self._send("PUT", self.url_of(name), headers))
        except ConflictError as conflict:
            # Its answer was lost, and it was asked for again.
            if conflict.code != _PENDING_COPY:
                raise

    def find(self, name: str) -> BlobFacts | None:
        """Return what there is to know of a blob, or None where there is none of that name."""
        found: Any = self.arm.find("get blob", name, lambda: self._send("HEAD", self.url_of(name)))
        return None if found is None else _facts(found.headers)

    def set_metadata(self, name: str, metadata: Mapping[str, str]) -> None:
        """Give a blob this metadata, in place of what it has."""
        url = f"{self.url_of(name)}?comp=metadata"
        self.arm.call("set metadata of blob", name, lambda: self._send("PUT", url, _metadata_headers(metadata)))

    def delete(self, name: str) -> None:
        """Delete a blob; a copy to it that is under way is called off first. One that is gone is no error."""
        found = self.find(name)
        if found is None:
            return
        if found.status == "pending":
            url = f"{self.url_of(name)}?comp=copy&copyid={found.copy_id}"
            try:
                self.arm.call("abort copy to blob", name, lambda: self._send("PUT", url, {"x-ms-copy-action": "abort"}))
            except ConflictError:
                self.arm.report(f"the copy to blob '{name}' has ended by itself")
        self.arm.find("delete blob", name, lambda: self._send("DELETE", self.url_of(name)))

    def list_metadata(self, prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the names of the blobs that begin with a prefix, each with its metadata by lower-case name."""
        url, marker = f"{self.url}?restype=container&comp=list&include=metadata&prefix={quote(prefix, safe='')}", ""
        while True:
            page = self._page(f"{url}&marker={quote(marker, safe='')}" if marker else url)
            for blob in page.iter("Blob"):
                metadata = blob.find("Metadata")
                values = {each.tag.lower(): each.text or "" for each in metadata} if metadata is not None else {}
                yield blob.findtext("Name") or "", values
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return

    def _page(self, url: str) -> ET.Element:
        text: str = self.arm.call("list blobs of", self.url, lambda: self._send("GET", url).text("utf-8-sig"))
        return ET.fromstring(text)  # noqa: S314 - from Azure Storage, and expat limits what entities may grow to

    def _send(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - the SDK's
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - with the SDK

        request = HttpRequest(method, url, headers={"x-ms-version": _VERSION, **(headers or {})})
        response = self.client.send_request(request)
        response.read()
        response.raise_for_status()
        return response


def open_container(arm: Arm, account: StorageAccount, container: str) -> Container:
    """Return a container of an account, whether or not it is there.

    Raises:
        CloudError: ARM refused to tell what lets us in.
    """
    client = arm.connection.pipeline(authorization(arm, account))
    return Container(arm, f"{account.endpoint.rstrip('/')}/{container}", client)


def blob_id(account_id: str, container: str, name: str) -> str:
    """Return the id of a blob."""
    return f"{account_id}/blobServices/default/containers/{container}/blobs/{quote(name, safe='')}"


def container_of(arm: Arm, blob: str) -> tuple[Container, str]:
    """Return the container that a blob's id names, and the blob's name.

    Raises:
        NotFoundError: its account is gone.
        CloudError: ARM refused to tell of it.
    """
    parsed = parse_id(blob)
    account, _, container, name = parsed.names
    account_id = resource_id(parsed.subscription, parsed.group, "Microsoft.Storage/storageAccounts", account)
    found = find_account(arm, account_id)
    if found is None:
        raise NotFoundError(f"there is no storage account '{account_id}'", resource=account_id)
    return open_container(arm, found, container), unquote(name)


def delete_blob(arm: Arm, blob: str) -> None:
    """Delete a blob by its id; one that is gone is no error."""
    container, name = container_of(arm, blob)
    container.delete(name)


def find_metadata(arm: Arm, blob: str) -> Mapping[str, str] | None:
    """Return a blob's metadata by lower-case name, or None where there is no blob of that id."""
    try:
        container, name = container_of(arm, blob)
    except NotFoundError:
        return None
    found = container.find(name)
    return None if found is None else found.metadata


def metadata_name(tag: str) -> str:
    """Return what a tag is called among a blob's metadata, whose names are identifiers: vi-run is vi_run."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", tag)
    return f"_{name}" if name[:1].isdigit() else name


def as_metadata(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as a blob's metadata, which is ASCII: other characters are percent-encoded."""
    return {metadata_name(tag): quote(" ".join(value.split()), safe=_PRINTABLE) for tag, value in tags.items()}


_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def _metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    return {f"{_METADATA}{name}": value for name, value in metadata.items()}


def _facts(headers: Any) -> BlobFacts:  # noqa: ANN401 - any mapping
    named = {name.lower(): str(value) for name, value in headers.items()}
    metadata = {name.removeprefix(_METADATA): value for name, value in named.items() if name.startswith(_METADATA)}
    copy = [named.get(f"x-ms-copy-{each}", "") for each in ("id", "status", "progress", "status-description")]
    return BlobFacts(int(named.get("content-length") or 0), metadata, *copy)
