"""The official examples of requests, read as the local Azure reads what it is sent."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.openapi.examples import Example, read_examples
from tests.emulator.openapi.operations import is_documented
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.request_bodies import is_checked, read_body
from verified_images.emulator.wire import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not is_documented(), reason="Azure's OpenAPI files are not here"),
]
_IGNORED = {"id", "location", "name", "resourceNavigationLinks", "type"}
"""What is checked by others than the reader, or is ignored since only answers have it."""
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Give the examples of the types whose bodies are checked."""
    return [example for example in read_examples() if is_checked(example.type)]


def read(example: Example, body: dict[str, Any]) -> ArmError | None:
    """Read a body; give the error with which it is refused."""
    content = json.dumps(body).encode()
    try:
        read_body(example.type, Request(example.method, "/", {}, {}, {}, content, "", "", {}))
    except ArmError as refused:
        return refused
    return None


def objects_in(value: Any, place: Place = ()) -> Iterator[Place]:  # noqa: ANN401 - any JSON value
    """Give where in a body there are objects; what stands in maps with names of the user's own is left out."""
    if isinstance(value, dict):
        yield place
        for name, item in value.items():
            if name not in {"tags", "userAssignedIdentities", "settings", "protectedSettings"}:
                yield from objects_in(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects_in(item, (*place, index))


def at(body: Any, place: Place) -> Any:  # noqa: ANN401 - any JSON value
    for step in place:
        body = body[step]
    return body


def test_official_requests_are_read(examples: list[Example]) -> None:
    assert len(examples) > 150
    refused = {f"{each.method} {each.type}: {each.title}": read(each, each.body) for each in examples}
    assert {title: str(error) for title, error in refused.items() if error} == {}


def test_an_unknown_property_is_refused_wherever_it_stands(examples: list[Example]) -> None:
    accepted, tried = [], 0
    for example in examples:
        for place in objects_in(example.body):
            body = copy.deepcopy(example.body)
            at(body, place)["nope"] = 1
            error = read(example, body)
            tried += 1
            if error is None or error.status != 400:
                accepted.append(f"{example.method} {example.type} {example.title}: {place}")
    assert tried > 1000
    assert accepted == []


def test_an_object_where_a_list_or_text_is_wanted_is_refused(examples: list[Example]) -> None:
    accepted, tried = [], 0
    for example in examples:
        for place in objects_in(example.body):
            for name, item in at(example.body, place).items():
                if isinstance(item, (str, list)) and name not in _IGNORED:
                    body = copy.deepcopy(example.body)
                    at(body, place)[name] = {"nope": {}}
                    error = read(example, body)
                    tried += 1
                    if error is None or error.status != 400:
                        accepted.append(f"{example.method} {example.type} {example.title}: {(*place, name)}")
    assert tried > 1000
    assert accepted == []
