"""In what two answers differ: status, headers of long-running operations, error, names and types of properties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.emulator.recordings.exchanges import Recorded

_REFUSED = 400
_OPERATION_HEADERS = ("azure-asyncoperation", "location", "azure-asyncnotification")
_VARIABLE = re.compile(
    r"'[^']*'|\"[^\"]*\"|/subscriptions/[^\s,]*|[0-9a-f]{8}-[0-9a-f-]{27}|\d[\d.:]*|\S*/\S*|\s+", re.IGNORECASE
)
_MAPS = {"tags", "userAssignedIdentities", "parameters", "outputs"}


@dataclass
class Shape:
    """The types of the values at one place, and what is below: of a list's items all together."""

    types: set[str] = field(default_factory=set)
    properties: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    def add(self, value: Any) -> Shape:  # noqa: ANN401 - any JSON value
        """Take a value in."""
        self.types.add(_type_of(value))
        if isinstance(value, dict):
            for name, item in value.items():
                self.properties.setdefault(name, Shape()).add(item)
        elif isinstance(value, list):
            for item in value:
                self.items = (self.items or Shape()).add(item)
        return self


def _type_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    for kind, name in ((dict, "object"), (list, "list"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "number"


def compare(
    recorded: Recorded,
    expected: Any,  # noqa: ANN401 - the recorded answer in the values of the local Azure
    status: int,
    headers: Mapping[str, str],
    answer: Any,  # noqa: ANN401 - any JSON value
) -> list[str]:
    """Say in what a live answer differs from the recorded one, a line each."""
    if (status >= _REFUSED) != (recorded.status >= _REFUSED):
        error = _error_in(answer) or _error_in(expected) or {}
        return [f"status: {status}, recorded {recorded.status} ({error.get('code')}: {error.get('message')})"]
    return [
        *([f"status: {status}, recorded {recorded.status}"] if status != recorded.status else []),
        *_compare_headers(recorded, headers),
        *_compare_bodies(expected, answer),
    ]


def _compare_headers(recorded: Recorded, headers: Mapping[str, str]) -> Iterator[str]:
    for name in _OPERATION_HEADERS:
        if (name in recorded.headers) != (name in headers):
            yield f"header {name}: {'unexpected' if name in headers else 'missing'}"
    expected, actual = recorded.headers.get("retry-after"), headers.get("retry-after")
    if recorded.has_delays and expected != actual:
        yield f"header retry-after: {actual}, recorded {expected}"


def _compare_bodies(expected: Any, answer: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON values
    error, live_error = _error_in(expected), _error_in(answer)
    if error and live_error:
        if error.get("code") != live_error.get("code"):
            yield f"error code: {live_error.get('code')}, recorded {error.get('code')}"
        elif _gist(error) != _gist(live_error):
            yield f"error message: {live_error.get('message')!r}, recorded {error.get('message')!r}"
    state, live_state = _state_in(expected), _state_in(answer)
    if state and live_state and state != live_state:
        yield f"provisioningState: {live_state}, recorded {state}"
    if expected is None or answer is None:
        if expected is not answer:
            yield f"body: {'missing' if answer is None else 'unexpected'}"
        return
    yield from compare_shapes(Shape().add(expected), Shape().add(answer), "$")


def compare_shapes(expected: Shape, actual: Shape, path: str) -> Iterator[str]:
    """Say where names or types of properties differ."""
    if expected.types != actual.types:
        yield f"{path}: {'|'.join(sorted(actual.types))}, recorded {'|'.join(sorted(expected.types))}"
    if path.rpartition(".")[2] in _MAPS:
        names = {name.lower(): name for name in actual.properties}
        for name in expected.properties.keys() | actual.properties.keys():
            if name.lower() not in names or name.lower() not in {each.lower() for each in expected.properties}:
                yield f"{path}.*: {'unexpected' if name in actual.properties else 'missing'}"
        return
    if {"object"} & expected.types & actual.types:
        for name in sorted(expected.properties.keys() - actual.properties.keys()):
            yield f"{path}.{name}: missing"
        for name in sorted(actual.properties.keys() - expected.properties.keys()):
            yield f"{path}.{name}: unexpected"
        for name in sorted(expected.properties.keys() & actual.properties.keys()):
            yield from compare_shapes(expected.properties[name], actual.properties[name], f"{path}.{name}")
    if expected.items and actual.items:
        yield from compare_shapes(expected.items, actual.items, f"{path}[]")


def _error_in(body: Any) -> dict[str, Any] | None:  # noqa: ANN401 - any JSON value
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None


def _state_in(body: Any) -> str | None:  # noqa: ANN401 - any JSON value
    properties = body.get("properties") if isinstance(body, dict) else None
    return properties.get("provisioningState") if isinstance(properties, dict) else None


def _gist(error: dict[str, Any]) -> str:
    """Give the message without the names, numbers and ids in it."""
    return _VARIABLE.sub("", str(error.get("message"))).lower()
