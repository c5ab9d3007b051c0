"""The official examples of requests: bodies of PUT and PATCH, by resource type."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator.openapi.operations import all_operations
from tests.emulator.openapi.schemas import dereference, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.openapi.operations import Operation


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a write."""

    method: str
    type: str
    title: str
    body: dict[str, Any]


def read_examples() -> Iterator[Example]:
    """Read the examples of writes of resources."""
    for method, pattern, operation in all_operations():
        if method in {"PUT", "PATCH"} and "providers" in pattern:
            start = len(pattern) - pattern[::-1].index("providers")
            kind = "/".join([pattern[start], *pattern[start + 1 :: 2]])
            yield from _examples_of(operation, method, kind)


def _examples_of(operation: Operation, method: str, kind: str) -> Iterator[Example]:
    bodies = [dereference(parameter, operation.file)[0] for parameter in operation.parameters]
    name = next((each["name"] for each in bodies if each.get("in") == "body"), None)
    for title, reference in operation.document.get("x-ms-examples", {}).items():
        example = load(os.path.normpath(Path(operation.file).parent / reference["$ref"]))
        if isinstance(body := example["parameters"].get(name), dict):
            yield Example(method, kind, title, body)
