"""Plays a recording to a local Azure: sends each request, follows operations live, compares each answer."""

from __future__ import annotations

import copy
import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tests.emulator.recordings.comparison import compare
from tests.emulator.recordings.translation import Translation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.emulator.recordings.exchanges import Recorded
    from verified_images.emulator import LocalCloud

_POLL = re.compile(
    r"/(operations|operationresults|diskoperations|capsoperations|asyncoperations|operationstatuses)/([^/?]+)$",
    re.IGNORECASE,
)
_GROUP = re.compile(r"/resourcegroups/([^/?]+)", re.IGNORECASE)
_RUNNING = {"inprogress", "accepted", "running"}
_PATIENCE = 60
_SENT_HEADERS = ("if-match", "if-none-match", "x-ms-client-request-id")


@dataclass(frozen=True, slots=True)
class Compared:
    """One exchange that was compared, and in what it differs."""

    number: int
    method: str
    operation: str
    path: str
    status: int
    differences: tuple[str, ...]

    @property
    def call(self) -> str:
        """The method and the kind of call."""
        return f"{self.method} {self.operation}"


@dataclass
class _Operation:
    """A live operation: where it is polled, by the name of the header that said so."""

    urls: dict[str, str] = field(default_factory=dict)


class Player:
    """Plays one recording to a local Azure that has nothing in it yet."""

    def __init__(self, cloud: LocalCloud, token: str) -> None:
        self._endpoint = cloud.endpoint
        self._subscription = cloud.account.subscription_id
        self._translation = Translation(cloud.endpoint, self._subscription)
        self._session = requests.Session()
        self._session.verify = str(cloud.ca_bundle)
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._operations: dict[str, _Operation] = {}

    def play(self, recording: Sequence[Recorded]) -> list[Compared]:
        """Send everything in order and compare."""
        self._make_presumed_groups(recording)
        found = []
        for number, recorded in enumerate(recording):
            exchange = recorded if recorded.has_body else reconstruct(recorded, recording[number + 1 :])
            if exchange is None:
                continue
            if poll := _POLL.search(exchange.path):
                differences = self._compare_poll(exchange, poll[2])
            else:
                differences = self._compare_call(exchange)
            if differences is not None:
                operation = operation_of(exchange.path)
                found.append(
                    Compared(
                        number, exchange.method, operation, exchange.path, exchange.status, tuple(sorted(differences))
                    )
                )
        self._session.close()
        return found

    def _make_presumed_groups(self, recording: Sequence[Recorded]) -> None:
        """Make the groups that were there before the recording began."""
        seen: set[str] = set()
        for exchange in recording:
            match = _GROUP.search(exchange.path)
            if not match or match[1].lower() in seen:
                continue
            seen.add(match[1].lower())
            is_group = exchange.path.lower().rstrip("/").endswith(f"/resourcegroups/{match[1].lower()}")
            if is_group and (exchange.method == "PUT" or exchange.status == 404):
                continue
            body = _describe_group(recording, match[1])
            group = f"{self._endpoint}/subscriptions/{self._subscription}/resourceGroups/{match[1]}"
            self._session.put(group, params={"api-version": "2022-09-01"}, json=body).raise_for_status()

    def _compare_call(self, exchange: Recorded) -> list[str] | None:
        url = self._translation.url(exchange.url)
        if url is None:
            return None
        response = self._send(exchange, url)
        answer = _read(response)
        started = _Operation(
            {
                name: response.headers[name]
                for name in ("azure-asyncoperation", "location")
                if name in response.headers and response.status_code < 300
            }
        )
        for name in ("azure-asyncoperation", "location"):
            if key := _POLL.search(urlsplit(exchange.headers.get(name, "")).path):
                self._operations[key[2].lower()] = started
        self._await(started)
        expected = self._translation.value(exchange.answer)
        differences = compare(exchange, expected, response.status_code, response.headers, answer)
        self._translation.learn(exchange.answer, answer)
        return differences

    def _send(self, exchange: Recorded, url: str) -> requests.Response:
        body = exchange.body
        headers = {
            name: self._translation.text(value)
            for name, value in exchange.request_headers.items()
            if name in _SENT_HEADERS
        }
        if body is None:
            return self._session.request(exchange.method, url, headers=headers)
        text = self._translation.text(body) if isinstance(body, str) else json.dumps(self._translation.value(body))
        headers["Content-Type"] = "application/json"
        return self._session.request(exchange.method, url, data=text.encode(), headers=headers)

    def _await(self, operation: _Operation) -> None:
        """Poll an operation until it has ended."""
        deadline = time.monotonic() + _PATIENCE
        for name, url in operation.urls.items():
            while time.monotonic() < deadline:
                response = self._session.get(url)
                answer = _read(response)
                status = str(answer.get("status", "")).lower() if isinstance(answer, dict) else ""
                running = status in _RUNNING if name == "azure-asyncoperation" else response.status_code == 202
                if not running:
                    break
                time.sleep(0.005)

    def _compare_poll(self, exchange: Recorded, key: str) -> list[str] | None:
        """Compare the last poll of an operation; those before tell only how long it took."""
        status = str(exchange.answer.get("status", "")).lower() if isinstance(exchange.answer, dict) else ""
        if status in _RUNNING or exchange.status == 202:
            return None
        operation = self._operations.get(key.lower())
        if operation is None:
            return None
        by_location = "monitor=true" in exchange.url or "result" in exchange.path.lower().rpartition("/")[0]
        url = operation.urls.get("location" if by_location else "azure-asyncoperation")
        if url is None:
            return ["operation: not begun"]
        response = self._session.get(url)
        expected = self._translation.value(exchange.answer)
        differences = compare(exchange, expected, response.status_code, response.headers, _read(response))
        self._translation.learn(exchange.answer, _read(response))
        return [each for each in differences if not each.startswith("header ")]


def operation_of(path: str) -> str:
    """Give the kind of call that a path is for: ``Microsoft.Compute/virtualMachines/deallocate``, in lower case."""
    parts = path.lower().strip("/").split("/")
    if "providers" in parts:
        start = len(parts) - parts[::-1].index("providers")
        provider, rest = parts[start], parts[start + 1 :]
    else:
        provider, rest = "", parts
    return "/".join([provider, *rest[::2]]).strip("/")


def reconstruct(exchange: Recorded, later: Sequence[Recorded]) -> Recorded | None:
    """Give an exchange with the body that its recorder left out: what was answered, secrets added.

    What is accepted without a body is answered by the next GET. None where nothing tells the body of a write.
    """
    if exchange.method == "POST" and exchange.path.lower().endswith("/runcommand"):
        return replace(exchange, body={"commandId": "RunShellScript", "script": ["true"]})
    if exchange.method not in {"PUT", "PATCH"}:
        return exchange
    answers = (each.answer for each in later if each.method == "GET" and each.path.lower() == exchange.path.lower())
    answer = exchange.answer or next(answers, None)
    if not isinstance(answer, dict) or "error" in answer:
        return None
    body = copy.deepcopy(answer)
    properties = body.get("properties", {})
    properties.pop("provisioningState", None)
    if "sourceVirtualMachine" in properties:
        properties.pop("storageProfile", None)
    for profile in (properties, properties.get("virtualMachineProfile", {})):
        system = profile.get("osProfile")
        if system and not system.get("linuxConfiguration", {}).get("ssh"):
            system["adminPassword"] = "Str0ng-enough"
    return replace(exchange, body=body)


def _describe_group(recording: Sequence[Recorded], group: str) -> dict[str, Any]:
    for exchange in recording:
        answer = exchange.answer
        if exchange.path.lower().endswith(f"/resourcegroups/{group.lower()}") and isinstance(answer, dict):
            described = {key: answer[key] for key in ("location", "tags") if key in answer}
            if "location" in described:
                return described
    for exchange in recording:
        if f"/resourcegroups/{group.lower()}/" in exchange.path.lower() and isinstance(exchange.body, dict):
            location = exchange.body.get("location")
            if isinstance(location, str):
                return {"location": location}
    return {"location": "westus"}


def _read(response: requests.Response) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return response.json() if response.content else None
    except ValueError:
        return response.text
