"""Shared Key: calls signed with a key of the account. Source: Azure Storage, "Authorize with Shared Key"."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from verified_images.emulator.storage.storage_errors import StorageError, authentication_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

SCHEME = "sharedkey"
_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_LATEST = timedelta(minutes=15)


def keys_of(account: Resource) -> list[bytes]:
    """Give the keys that an account has now."""
    return [base64.b64decode(key) for key in account.hidden["keys"].values()]


def sign(key: bytes, text: str) -> str:
    """Give the signature of a text."""
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def is_signed(keys: Iterable[bytes], text: str, signature: str) -> bool:
    """Tell whether one of the keys has signed a text so."""
    return any(hmac.compare_digest(sign(key, text).encode(), signature.encode()) for key in keys)


def check_keys_are_allowed(account: Resource) -> None:
    """Refuse what is signed with a key where the account has keys switched off.

    Raises:
        StorageError: 403.
    """
    if account.properties.get("allowSharedKeyAccess") is False:
        raise StorageError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )


def check_shared_key(account: Resource, request: Request) -> None:
    """Refuse a call that none of the account's keys has signed, or that was signed long ago.

    Raises:
        StorageError: 403.
    """
    check_keys_are_allowed(account)
    name, _, signature = request.headers["authorization"].partition(" ")[2].partition(":")
    if name != account.id.name or not _is_recent(request):
        raise authentication_failed()
    texts = (string_to_sign(account.id.name, request, order) for order in (_as_azure, _by_name))
    if not any(is_signed(keys_of(account), text, signature) for text in texts):
        raise authentication_failed()


def _as_azure(name: str) -> str:
    """Give what Azure sorts headers by, as its own clients have it: no hyphens, and underscores before digits."""
    return name.replace("-", "").replace("_", " ")


def _by_name(name: str) -> str:
    """Give what other clients sort headers by, as documented."""
    return name


def string_to_sign(account: str, request: Request, order: Callable[[str], str]) -> str:
    """Give the text of a call that its signature is of, with its headers in an order."""
    headers = dict(request.headers)
    if headers.get("content-length") == "0":
        del headers["content-length"]
    if "x-ms-date" in headers:
        headers.pop("date", None)
    own = sorted((name for name in headers if name.startswith("x-ms-")), key=order)
    canonical_headers = "".join(f"{name}:{headers[name].strip()}\n" for name in own)
    canonical_resource = f"/{account}{request.raw_path}" + "".join(
        f"\n{name}:{value}" for name, value in sorted(request.query.items())
    )
    lines = [request.method, *(headers.get(name, "") for name in _SIGNED)]
    return "\n".join(lines) + f"\n{canonical_headers}{canonical_resource}"


def _is_recent(request: Request) -> bool:
    try:
        given = parsedate_to_datetime(request.headers.get("x-ms-date") or request.headers.get("date") or "")
    except ValueError:
        return False
    given = given if given.tzinfo else given.replace(tzinfo=UTC)
    return abs(datetime.now(UTC) - given) <= _LATEST
