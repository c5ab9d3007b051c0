"""Calls to a local Azure that another process serves, for what no Azure client knows of: faults, statistics."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verified_images.emulator.announcement import RunningCloud

_SECONDS = 30


class RemoteCallError(Exception):
    """A running local Azure refused a call, or could not be reached."""


def call_running(cloud: RunningCloud, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
    """Call ``{endpoint}{path}`` as the local Azure's application and give the answer's JSON.

    Raises:
        RemoteCallError: with the reason that the local Azure gives.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.account.client_id,
        "client_secret": cloud.account.client_secret,
        "scope": "https://management.azure.com/.default",
    }
    address = f"{cloud.endpoint}/{cloud.account.tenant_id}/oauth2/v2.0/token"
    token = _send(cloud, urllib.request.Request(address, urllib.parse.urlencode(form).encode()))  # noqa: S310 - https
    call = urllib.request.Request(  # noqa: S310 - the endpoint is https
        cloud.endpoint + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/json"},
        method=method,
    )
    return _send(cloud, call)


def _send(cloud: RunningCloud, call: urllib.request.Request) -> Any:  # noqa: ANN401 - JSON
    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))
    try:
        with urllib.request.urlopen(call, timeout=_SECONDS, context=context) as answer:  # noqa: S310 - https
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            raise RemoteCallError(_reason(error)) from error
    except OSError as error:
        raise RemoteCallError(f"the local Azure at {cloud.endpoint} cannot be reached: {error}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the local Azure answered {error.code} {error.reason}"
