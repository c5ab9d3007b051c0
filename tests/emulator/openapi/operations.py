"""Which of Azure's documented operations a call is, and the schemas of its bodies in the call's api-version.

The documents are not part of the project: they are looked for in ``shared/azure`` beside a folder that the project is
in. Swagger files tell the operations; for the api-versions of the SDK, of which there are models alone, the operation
is that of the swagger file and the model the one of the same name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.emulator.openapi.schemas import Node, compile_schema, dereference, load
from tests.emulator.recordings.exchanges import find_shared_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SDK = {
    "microsoft.compute": ("compute-39.0.0_2026-04-01", {"2026-04-01", "2026-03-03", "2026-03-02"}),
    "microsoft.network": ("network-33.1.0_2026-03-01", {"2026-03-01"}),
    "microsoft.resources": ("resources-26.0.0_2025-04-01", {"2025-04-01"}),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented operation: where it stands, how body and answers look. ``models`` are the SDK's, if any."""

    document: dict[str, Any]
    parameters: tuple[dict[str, Any], ...]
    file: str
    models: str = ""

    @property
    def request(self) -> Node | None:
        """The schema of the request's body."""
        for parameter in self.parameters:
            found, file = dereference(parameter, self.file)
            if found.get("in") == "body":
                return self._node(found["schema"], file)
        return None

    def answer(self, status: int) -> Node | None:
        """Give the schema of an answer's body, None when it has none.

        Raises:
            KeyError: an answer with this status is not documented.
        """
        responses = self.document["responses"]
        found, file = dereference(responses.get(str(status)) or responses["default"], self.file)
        return self._node(found["schema"], file) if "schema" in found else None

    def _node(self, schema: dict[str, Any], file: str) -> Node | None:
        if not self.models:
            return compile_schema(schema, file)
        models = load(self.models)["$defs"]
        name = schema.get("$ref", "").rpartition("/")[2]
        if name in models:
            return compile_schema(models[name], self.models)
        return None


def is_documented() -> bool:
    """Tell whether the documents are here."""
    return find_shared_folder() is not None


@cache
def _swagger_files() -> tuple[Path, ...]:
    shared = find_shared_folder()
    files = (shared / "openapi" / "swagger").rglob("*.json") if shared else ()
    return tuple(sorted(file for file in files if "examples" not in file.parts))


_Candidate = tuple[tuple[str, ...], str, Operation]
_Key = tuple[str, int, tuple[str, ...]]


def _key(method: str, segments: tuple[str, ...]) -> _Key:
    """Give what is alike in a path and the pattern that it fits: every other segment of both is literal."""
    return method, len(segments), segments[::2]


@cache
def _index() -> dict[_Key, list[_Candidate]]:
    """Give all operations, their segments and api-versions, those with more literal segments first."""
    index: dict[_Key, list[_Candidate]] = defaultdict(list)
    for file in _swagger_files():
        document = load(str(file))
        for pattern, methods in document.get("paths", {}).items():
            segments = tuple(pattern.lower().strip("/").split("/"))
            for method, operation in methods.items():
                if method == "parameters":
                    continue
                parameters = (*operation.get("parameters", ()), *methods.get("parameters", ()))
                found = Operation(operation, parameters, str(file))
                index[_key(method.upper(), segments)].append((segments, document["info"]["version"], found))
    for candidates in index.values():
        candidates.sort(key=lambda candidate: [segment.startswith("{") for segment in candidate[0]])
    return index


def all_operations() -> Iterator[tuple[str, tuple[str, ...], Operation]]:
    """Give all operations: method, the segments of the path in lower case, and what is documented."""
    for (method, *_), candidates in _index().items():
        for pattern, _, operation in candidates:
            yield method, pattern, operation


def find_operation(method: str, path: str, version: str) -> Operation | None:
    """Give the operation that a call is, or None when its api-version is not documented here."""
    segments = tuple(path.lower().strip("/").split("/"))
    fitting = [
        (its_version, operation)
        for pattern, its_version, operation in _index().get(_key(method, segments), ())
        if all(one == other or one.startswith("{") for one, other in zip(pattern, segments, strict=True))
    ]
    for its_version, operation in fitting:
        if its_version == version:
            return operation
    models = _models_of(path, version)
    if not fitting or not models:
        return None
    newest = max(fitting, key=lambda found: found[0])[1]
    return Operation(newest.document, newest.parameters, newest.file, models)


def _models_of(path: str, version: str) -> str:
    providers = re.findall("/providers/([^/]+)", path.lower())
    name, versions = _SDK.get(providers[-1] if providers else "microsoft.resources", ("", set()))
    shared = find_shared_folder()
    return str(shared / "openapi" / "sdk-schema" / f"{name}.schema.json") if shared and version in versions else ""
