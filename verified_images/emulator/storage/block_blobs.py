"""Block blobs: put whole, or as a list of blocks. Source: Azure Storage, "Put Blob", "Put Block", "Put Block List"."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from verified_images.emulator.storage.blob_records import (
    content_headers_in,
    file_of,
    find_container,
    forget_files,
    look_for_blob,
    metadata_in,
    new_blob,
    new_file,
)
from verified_images.emulator.storage.page_blobs import check_md5
from verified_images.emulator.storage.storage_errors import VERSION, StorageError, not_found, wrong_type
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

KIND = "BlockBlob"
_LONGEST_BLOCK_ID = 64


def put_content(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Resource:
    """Make a block blob of a call's body, which is not kept yet.

    Raises:
        StorageError: 400: the body is not the one that was meant.
    """
    check_md5(request)
    blob = new_blob(account, name, KIND)
    facts = blob.hidden["blob"]
    file = new_file(cloud)
    file.write_bytes(request.content)
    digest = base64.b64encode(hashlib.md5(request.content, usedforsecurity=False).digest()).decode()
    facts["headers"] = {"Content-MD5": digest, **content_headers_in(request, of_request=True)}
    facts |= {"file": str(file), "metadata": metadata_in(request)}
    return blob


def put_block(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Put Block: the block waits for a list that has it."""
    identifier = request.query.get("blockid", "")
    if not identifier or len(identifier) > _LONGEST_BLOCK_ID * 4 // 3 + 2:
        raise StorageError(
            400,
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid. (blockid)",
        )
    check_md5(request)
    file = new_file(cloud)
    with cloud.store.lock:
        find_container(cloud, account, name)
        blob = look_for_blob(cloud, account, name) or new_blob(account, name, KIND)
        facts = blob.hidden["blob"]
        if facts["type"] != KIND:
            raise wrong_type()
        if any(len(block["id"]) != len(identifier) for block in facts["staged"]):
            raise StorageError(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        file.write_bytes(request.content)
        for block in facts["staged"]:
            if block["id"] == identifier:
                Path(block["file"]).unlink(missing_ok=True)
        kept = [block for block in facts["staged"] if block["id"] != identifier]
        facts["staged"] = [*kept, {"id": identifier, "file": str(file), "size": len(request.content)}]
        cloud.store.put(blob)
    return Answer(201, None, {"x-ms-version": VERSION, "x-ms-request-server-encrypted": "true"})


def put_block_list(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Put Block List: the blob is made of the blocks that it names, and the others are gone."""
    with cloud.store.lock:
        find_container(cloud, account, name)
        before = look_for_blob(cloud, account, name)
        if before is not None and before.hidden["blob"]["type"] != KIND:
            raise wrong_type()
        blob = new_blob(account, name, KIND)
        file = new_file(cloud)
        blocks = list(_wanted(request, before.hidden["blob"] if before else blob.hidden["blob"]))
        with file.open("wb") as whole:
            for block in blocks:
                with Path(block["file"]).open("rb") as part:
                    part.seek(block.get("start", 0))
                    whole.write(part.read(block["size"]))
        facts = blob.hidden["blob"]
        facts |= {"file": str(file), "metadata": metadata_in(request)}
        facts["headers"] = content_headers_in(request, of_request=False)
        facts["blocks"] = [{"id": block["id"], "size": block["size"]} for block in blocks]
        cloud.store.put(blob)
    if before:
        forget_files(before)
    return Answer(201, None, file_of(blob).written())


def get_block_list(cloud: Cloud, request: Request, account: Resource, name: BlobName) -> Answer:
    """Answer a Get Block List."""
    find_container(cloud, account, name)
    blob = look_for_blob(cloud, account, name)
    if blob is None:
        raise not_found("blob")
    facts, wanted = blob.hidden["blob"], request.query.get("blocklisttype", "committed").lower()
    parts = ""
    for noun, blocks in (("committed", facts["blocks"]), ("uncommitted", facts["staged"])):
        if wanted in {noun, "all"}:
            listed = "".join(
                f"<Block><Name>{escape(block['id'])}</Name><Size>{block['size']}</Size></Block>" for block in blocks
            )
            parts += f"<{noun.title()}Blocks>{listed}</{noun.title()}Blocks>"
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{parts}</BlockList>'
    return Answer(200, body.encode(), {"Content-Type": "application/xml", "x-ms-version": VERSION})


def _wanted(request: Request, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the blocks that a list names, each with the file that has it and where it begins in that."""
    committed, start = {}, 0
    for block in facts["blocks"]:
        committed[block["id"]] = {**block, "file": facts["file"], "start": start}
        start += block["size"]
    staged = {block["id"]: block for block in facts["staged"]}
    sources = {"Committed": committed, "Uncommitted": staged, "Latest": {**committed, **staged}}
    try:
        listed = ET.fromstring(request.content)  # noqa: S314 - expat limits what entities may grow to
        for each in listed:
            yield sources[each.tag][(each.text or "").strip()]
    except ET.ParseError as error:
        raise StorageError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    except KeyError as error:
        raise StorageError(400, "InvalidBlockList", "The specified block list is invalid.") from error
