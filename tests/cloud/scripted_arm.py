"""Azure Resource Manager as a dictionary: remembers what is put, records every request, answers as scripted.

It knows no rules. The local Azure does; this one is for looking at single requests and for scripted failures.
"""

from __future__ import annotations

import io
import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from verified_images.cloud.connection import CloudConnection
from verified_images.ssh.reach import reach_directly

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "https://arm.test"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was sent."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to be given."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Script:
    """What is answered to requests that match, ``times`` times."""

    method: str
    pattern: re.Pattern[str]
    answer: Answer
    times: int


class ScriptedArm(HttpTransport[Any, Any]):
    """The transport of a connection whose other end is a dictionary."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.store: dict[str, dict[str, Any]] = {}
        self.fills: dict[str, dict[str, Any]] = {}
        self._scripts: list[Script] = []
        self._lock = threading.Lock()

    def script(self, method: str, pattern: str, answer: Answer, *, times: int = 1_000_000) -> None:
        """Answer requests to paths that match so; the script made last goes first."""
        self._scripts.insert(0, Script(method, re.compile(pattern, re.IGNORECASE), answer, times))

    def put(self, resource_id: str, **fields: Any) -> None:  # noqa: ANN401 - any JSON
        """Let a resource be there."""
        name = resource_id.rpartition("/")[2]
        self.store[resource_id.lower()] = {"id": resource_id, "name": name, **fields}

    def forget(self, resource_id: str) -> None:
        """Let a resource be gone."""
        self.store.pop(resource_id.lower(), None)

    def bodies(self, method: str, pattern: str) -> list[Any]:
        """Return the bodies that were sent to paths that match."""
        found = [sent for sent in self.sent if sent.method == method]
        return [sent.body for sent in found if re.search(pattern, sent.path, re.IGNORECASE)]

    def methods(self) -> list[tuple[str, str]]:
        """Return method and path of every request but GETs, in order."""
        return [(sent.method, sent.path) for sent in self.sent if sent.method != "GET"]

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def sleep(self, duration: float) -> None:
        """Do not sleep."""

    def send(self, request: Any, **_: Any) -> Any:  # noqa: ANN401 - the SDK's own types
        """Answer a request."""
        parts = urlsplit(request.url)
        body = json.loads(request.content) if request.content else None
        sent = Sent(request.method, parts.path, parse_qs(parts.query), body, dict(request.headers))
        with self._lock:
            self.sent.append(sent)
            answer = self._scripted(sent) or self._stored(sent)
        return _response(request, answer)

    def _scripted(self, sent: Sent) -> Answer | None:
        for script in self._scripts:
            if script.times and script.method == sent.method and script.pattern.search(sent.path):
                script.times -= 1
                return script.answer
        return None

    def _stored(self, sent: Sent) -> Answer:
        key = sent.path.lower()
        missing = {"error": {"code": "ResourceNotFound", "message": f"'{sent.path}' was not found."}}
        match sent.method:
            case "PUT" | "PATCH":
                return Answer(200, self._keep(sent))
            case "GET" if len(key.strip("/").split("/")) % 2:
                inside = [item for name, item in self.store.items() if name.rpartition("/")[0] == key]
                return Answer(200, {"value": inside})
            case "GET":
                return Answer(200, self.store[key]) if key in self.store else Answer(404, missing)
            case "HEAD":
                return Answer(204 if key in self.store else 404)
            case "DELETE":
                self.store = {name: item for name, item in self.store.items() if not name.startswith(key)}
                return Answer(200)  # the one code that every kind of delete may answer
        return Answer(200, {})

    def _keep(self, sent: Sent) -> dict[str, Any]:
        old = self.store.get(sent.path.lower(), {})
        fill = next((fill for part, fill in self.fills.items() if part.lower() in sent.path.lower()), {})
        body = {**old, **(sent.body or {}), "id": sent.path, "name": sent.path.rpartition("/")[2]}
        properties = {**old.get("properties", {}), **(sent.body or {}).get("properties", {}), **fill}
        body["properties"] = {**properties, "provisioningState": "Succeeded"}
        self.store[sent.path.lower()] = body
        return body


class StaticCredential:
    """A credential whose token tells nothing."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("token", 4_000_000_000)


def connect(arm: ScriptedArm) -> CloudConnection:
    """Return a connection to a scripted ARM."""
    return CloudConnection(
        name="scripted",
        endpoint=ENDPOINT,
        subscription_id=SUBSCRIPTION,
        credential=StaticCredential(),
        reach=reach_directly,
        polling_interval=0.001,
        transport=arm,
    )


def _response(request: Any, answer: Answer) -> Any:  # noqa: ANN401 - the SDK's own types
    headers, content = dict(answer.headers), b""
    if answer.body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    response = requests.Response()
    response.status_code = answer.status
    response.url = request.url
    response.headers.update(headers)
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(content), headers, answer.status, preload_content=False, request_method=request.method
    )
    answered: Any = RestRequestsTransportResponse(request=request, internal_response=response)  # type: ignore[no-untyped-call]
    return answered
