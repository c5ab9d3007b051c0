"""Azure's schemas of bodies, compiled once, and in what a body violates them.

Swagger 2.0 and the JSON Schema reflected from the SDK's models are read alike. An enumeration is open, as Azure's are;
null is as if not sent; what is read-only may be sent, since Azure ignores it.
"""

from __future__ import annotations

import json
import os.path
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@cache
def load(file: str) -> Schema:
    """Read a document; it is kept, so that its parts can be known by identity."""
    content: Schema = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    return content


def dereference(schema: Schema, file: str) -> tuple[Schema, str]:
    """Follow references to the schema meant and the file that it is in."""
    while "$ref" in schema:
        place, _, pointer = schema["$ref"].partition("#")
        file = os.path.normpath(Path(file).parent / place) if place else file
        schema = load(file)
        for part in pointer.strip("/").split("/"):
            schema = schema[part.replace("~1", "/").replace("~0", "~")]
    return schema, file


@dataclass
class Node:
    """One compiled schema. What it says of properties is compiled when it is first asked for."""

    types: tuple[type, ...] = ()
    type_name: str = ""
    required: frozenset[str] = frozenset()
    is_open: bool = True
    _properties: dict[str, tuple[Schema, str]] = field(default_factory=dict)
    _items: tuple[Schema, str] | None = None
    _values: tuple[Schema, str] | None = None

    def find(self, name: str) -> Node | None:
        """Give the schema of a property, or None when there is no such property."""
        found = self._properties.get(name) or self._values
        return compile_schema(*found) if found else None

    @property
    def items(self) -> Node | None:
        """Give the schema of a list's items."""
        return compile_schema(*self._items) if self._items else None


_COMPILED: dict[int, Node] = {}


def compile_schema(schema: Schema, file: str) -> Node:
    """Compile a schema that stands in a file."""
    node = _COMPILED.get(id(schema))
    if node is None:
        node = _COMPILED[id(schema)] = _compile(schema, file)
    return node


def _compile(schema: Schema, file: str) -> Node:
    parts = list(_parts(schema, file))
    properties = {
        name: (below, place) for part, place in reversed(parts) for name, below in part.get("properties", {}).items()
    }
    values = next(((part["additionalProperties"], place) for part, place in parts if _has_values(part)), None)
    items = next(((part["items"], place) for part, place in parts if "items" in part), None)
    name = next((part["type"] for part, _ in parts if isinstance(part.get("type"), str)), "")
    name = name or ("object" if properties else "")
    return Node(
        _SCALARS.get(name, ()),
        name,
        frozenset(each for part, _ in parts for each in part.get("required", ())),
        not properties or any("discriminator" in part or part.get("additionalProperties") is True for part, _ in parts),
        properties,
        items,
        values,
    )


def _has_values(part: Schema) -> bool:
    return isinstance(part.get("additionalProperties"), dict)


def _parts(schema: Schema, file: str) -> Iterator[tuple[Schema, str]]:
    """Give a schema and those that it is made of, each with its file."""
    schema, file = dereference(schema, file)
    yield schema, file
    for part in schema.get("allOf", ()):
        yield from _parts(part, file)


def violations(value: Any, node: Node, path: str = "$") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Say what in a value the schema does not allow: path and reason, a line each."""
    if value is None:
        return
    if node.types and (not isinstance(value, node.types) or (isinstance(value, bool) and bool not in node.types)):
        yield f"{path}: {json.dumps(value)[:60]} is no {node.type_name}"
    elif isinstance(value, dict):
        yield from _violations_in_object(value, node, path)
    elif isinstance(value, list) and (items := node.items):
        for index, item in enumerate(value):
            yield from violations(item, items, f"{path}[{index}]")


def _violations_in_object(value: dict[str, Any], node: Node, path: str) -> Iterator[str]:
    for name in node.required - value.keys():
        yield f"{path}.{name}: is required"
    for name, item in value.items():
        below = node.find(name)
        if below:
            yield from violations(item, below, f"{path}.{name}")
        elif not node.is_open:
            yield f"{path}.{name}: is no property"
