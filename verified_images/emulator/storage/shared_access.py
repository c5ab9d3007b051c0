"""Shared access signatures: URLs that a key of the account has signed, good for some calls and for some time.

Source: Azure Storage, "Create an account SAS" and "Create a service SAS". Signatures by stored access policies and
by user delegation keys are not emulated.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verified_images.emulator.storage.shared_key import check_keys_are_allowed, is_signed, keys_of
from verified_images.emulator.storage.storage_errors import StorageError, authentication_failed, permission_mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource

_FIRST_WITH_RESOURCE = "2018-11-09"
_FIRST_WITH_ENCRYPTION_SCOPE = "2020-12-06"
_OVERRIDES = ("rscc", "rscd", "rsce", "rscl", "rsct")


def check_access(
    account: Resource, name: BlobName, query: Mapping[str, str], needed: tuple[str, str], client: str
) -> None:
    """Refuse a call whose URL was not signed by the account, or for something else.

    ``needed`` are the permissions of which the signature has to give one (none of them: no signature does), and the
    kind of resource that the call is on: ``s`` for the service, ``c`` for a container, ``o`` for a blob.

    Raises:
        StorageError: 403.
    """
    check_keys_are_allowed(account)
    permissions, kind = needed
    is_of_account = "ss" in query
    text = _of_account(account, query) if is_of_account else _of_service(account, name, query)
    if not is_signed(keys_of(account), text, query["sig"]) or not _is_valid_now(query):
        raise authentication_failed()
    if not _admits(query.get("sip", ""), client):
        raise StorageError(
            403, "AuthorizationSourceIPMismatch", "This request is not authorized to perform this operation."
        )
    if is_of_account and "b" not in query["ss"]:
        raise StorageError(
            403, "AuthorizationServiceMismatch", "This request is not authorized to perform this operation."
        )
    if kind not in _kinds(query):
        raise StorageError(
            403, "AuthorizationResourceTypeMismatch", "This request is not authorized to perform this operation."
        )
    if not set(permissions) & set(query.get("sp", "")):
        raise permission_mismatch()


def _kinds(query: Mapping[str, str]) -> str:
    """Give the kinds of resources that a signature is for; of a container's own, its list of blobs alone."""
    if "ss" in query:
        return query.get("srt", "")
    return "o" if query.get("sr") == "b" else "oc"


def _of_account(account: Resource, query: Mapping[str, str]) -> str:
    fields = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"]
    if query.get("sv", "") >= _FIRST_WITH_ENCRYPTION_SCOPE:
        fields.append("ses")
    return "".join(f"{each}\n" for each in (account.id.name, *(query.get(field, "") for field in fields)))


def _of_service(account: Resource, name: BlobName, query: Mapping[str, str]) -> str:
    resource = f"/blob/{account.id.name}/{name.container}"
    if query.get("sr") == "b":
        resource += f"/{name.blob}"
    elif query.get("sr") != "c":
        raise authentication_failed()
    version = query.get("sv", "")
    values = [*(query.get(field, "") for field in ("sp", "st", "se")), resource]
    values += [query.get(field, "") for field in ("si", "sip", "spr", "sv")]
    if version >= _FIRST_WITH_RESOURCE:
        values += [query["sr"], query.get("snapshot", "")]
    if version >= _FIRST_WITH_ENCRYPTION_SCOPE:
        values.append(query.get("ses", ""))
    return "\n".join([*values, *(query.get(field, "") for field in _OVERRIDES)])


def _is_valid_now(query: Mapping[str, str]) -> bool:
    now = datetime.now(UTC)
    try:
        begins = _moment(query["st"]) if query.get("st") else now
        return begins <= now < _moment(query.get("se", ""))
    except ValueError:
        return False


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _admits(addresses: str, client: str) -> bool:
    if not addresses:
        return True
    first, _, last = addresses.partition("-")
    try:
        begin, end, own = (ipaddress.IPv4Address(each) for each in (first, last or first, client))
    except ValueError:
        return False
    return begin <= own <= end
