"""Shared Key: requests that a storage account's key signs. Source: Azure Storage, "Authorize with Shared Key"."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.core.pipeline.policies import SansIOHTTPPolicy

# All of these but the length are empty in the requests that are made here.
_UNUSED_HEADERS = 11


class SharedKeyPolicy(SansIOHTTPPolicy[Any, Any]):
    """Signs each request, each try of it anew, with a key of the account in Base64.

    For requests without a body, without a type of content, and without other conditions than those of Azure Storage's
    own headers.
    """

    def __init__(self, account: str, key: str) -> None:
        self._account = account
        self._key = base64.b64decode(key)

    def on_request(self, request: Any) -> None:  # noqa: ANN401 - the SDK's own types
        """Sign a request that is about to be sent."""
        http_request = request.http_request
        http_request.headers["x-ms-date"] = formatdate(usegmt=True)
        text = string_to_sign(self._account, http_request.method, http_request.url, http_request.headers)
        signature = base64.b64encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest()).decode()
        http_request.headers["Authorization"] = f"SharedKey {self._account}:{signature}"


def string_to_sign(account: str, method: str, url: str, headers: Any) -> str:  # noqa: ANN401 - any mapping
    """Return the text of a request without a body that its signature is of."""
    own = [(name.lower(), value) for name, value in headers.items() if name.lower().startswith("x-ms-")]
    parts = urlsplit(url)
    query = sorted((name.lower(), value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    resource = f"/{account}{parts.path}" + "".join(f"\n{name}:{value}" for name, value in query)
    return (
        method
        + "\n" * (_UNUSED_HEADERS + 1)
        + "".join(f"{name}:{value}\n" for name, value in sorted(own, key=_place))
        + resource
    )


def _place(header: tuple[str, str]) -> str:
    """Return what headers are sorted by: Azure takes underscores before digits, and no notice of hyphens."""
    return header[0].replace("-", "").replace("_", " ")
