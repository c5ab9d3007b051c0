"""What of a body violates a schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.openapi.schemas import Node, compile_schema, load, violations

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = {
    "definitions": {
        "Thing": {
            "allOf": [{"$ref": "other.json#/definitions/Resource"}],
            "required": ["location"],
            "properties": {
                "location": {"type": "string"},
                "count": {"type": "integer"},
                "parts": {"type": "array", "items": {"$ref": "#/definitions/Part"}},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "anything": {"type": "object"},
            },
        },
        "Part": {"properties": {"name": {"type": "string"}, "whole": {"$ref": "#/definitions/Thing"}}},
    }
}
OTHER = {"definitions": {"Resource": {"properties": {"id": {"type": "string", "readOnly": True}}}}}


@pytest.fixture
def thing(tmp_path: Path) -> Node:
    (tmp_path / "other.json").write_text(json.dumps(OTHER))
    file = tmp_path / "thing.json"
    file.write_text(json.dumps(DOCUMENT))
    return compile_schema(load(str(file))["definitions"]["Thing"], str(file))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"id": "x", "count": 1, "tags": {"a": "b"}, "anything": {"b": [1]}},
        {"count": None, "parts": [{"name": "p", "whole": {"location": "there"}}]},
    ],
)
def test_what_a_schema_allows_is_no_violation(thing: Node, more: dict[str, Any]) -> None:
    assert list(violations({"location": "here", **more}, thing)) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"nope": 1}, "$.nope: is no property"),
        ({"parts": [{}, {"nmae": "p"}]}, "$.parts[1].nmae: is no property"),
        ({"count": "1"}, '$.count: "1" is no integer'),
        ({"count": True}, "$.count: true is no integer"),
        ({"parts": {}}, "$.parts: {} is no array"),
        ({"tags": {"a": 1}}, "$.tags.a: 1 is no string"),
        ({"parts": [{"whole": {}}]}, "$.parts[0].whole.location: is required"),
    ],
)
def test_what_it_does_not_allow_is_told_with_its_path(thing: Node, body: dict[str, Any], expected: str) -> None:
    assert expected in list(violations(body, thing))
