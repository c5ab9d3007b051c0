"""Recorded exchanges with Azure Resource Manager, read from the three formats that their publishers use.

The files are not part of the project: they are looked for in ``shared/azure`` beside a folder that the project is in.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

MANAGEMENT = re.compile(r"https?://(management\.azure\.com|localhost:\d+)(?=[/?]|$)", re.IGNORECASE)
"""Where Azure Resource Manager is in a recorded URL; one of the recorders writes its own address instead."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded exchange. ``body`` and ``answer`` are JSON values, text, or None when there is none.

    ``has_body`` is false where the recorder keeps no request bodies, ``has_delays`` where it changes Retry-After.
    """

    method: str
    url: str
    body: Any
    status: int
    answer: Any
    headers: dict[str, str]
    request_headers: dict[str, str] = field(default_factory=dict)
    has_body: bool = True
    has_delays: bool = False

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    @property
    def is_management(self) -> bool:
        """Tell whether the call went to Azure Resource Manager."""
        return bool(MANAGEMENT.match(self.url))


def find_shared_folder() -> Path | None:
    """Give the folder that holds the recordings and OpenAPI files, or None where there is none."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "shared" / "azure" / "recordings").is_dir():
            return folder / "shared" / "azure"
    return None


def recording_files(folder: Path | None = None) -> dict[str, Path]:
    """Give the files of recordings by name, ``azure-cli/vm__test_vm_usage``; empty where there are none.

    They are those in ``folder`` and below it, those of ``shared/azure`` without it.
    """
    shared = find_shared_folder()
    folder = folder or (shared and shared / "recordings")
    files = sorted(folder.rglob("*.*")) if folder else []
    return {f"{file.parent.name}/{file.stem}": file for file in files if file.suffix in {".json", ".yaml"}}


def read_recording(file: Path) -> list[Recorded]:
    """Read a recording, calls to other hosts than Azure Resource Manager left out."""
    if file.suffix == ".yaml":
        found = _read_vcr(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    else:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        if "Entries" in content:
            found = _read_test_proxy(content)
        else:
            found = _read_java(content) if "networkCallRecords" in content else _read_excerpt(content)
    return [exchange for exchange in found if exchange.is_management]


def _read_vcr(content: dict[str, Any]) -> Iterator[Recorded]:
    for interaction in content["interactions"]:
        request, response = interaction["request"], interaction["response"]
        yield Recorded(
            request["method"],
            request["uri"],
            _parse(request["body"]),
            int(response["status"]["code"]),
            _parse(response["body"].get("string")),
            _headers({name: values[0] for name, values in response["headers"].items()}),
            _headers({name: values[0] for name, values in request["headers"].items()}),
        )


def _read_test_proxy(content: dict[str, Any]) -> Iterator[Recorded]:
    for entry in content["Entries"]:
        yield Recorded(
            entry["RequestMethod"],
            _with_host(entry["RequestUri"]),
            _parse(entry["RequestBody"]),
            int(entry["StatusCode"]),
            _parse(entry["ResponseBody"]),
            _headers(entry["ResponseHeaders"]),
            _headers(entry["RequestHeaders"]),
            has_delays="EncodedRequestUri" not in entry,
        )


def _read_java(content: dict[str, Any]) -> Iterator[Recorded]:
    for record in content["networkCallRecords"]:
        response = dict(record["Response"])
        status, answer = int(response.pop("StatusCode")), _parse(response.pop("Body", None))
        headers, asked = _headers(response), _headers(record["Headers"])
        yield Recorded(record["Method"], record["Uri"], None, status, answer, headers, asked, has_body=False)


def _read_excerpt(content: dict[str, Any]) -> Iterator[Recorded]:
    yield Recorded("GET", content["request"], None, 200, {"value": content["value"]}, {})


def _parse(content: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Give JSON text as a value; the test proxy keeps JSON as values already.

    One recorder wrote Python's bytes, and those once more.
    """
    if not isinstance(content, str):
        return content
    if content.startswith(("b'", 'b"')):
        return _parse(ast.literal_eval(content).decode())
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def _with_host(url: str) -> str:
    """Give a URL with Azure's host, which the test proxy's forerunner left out; it changed the delays, too."""
    return f"https://management.azure.com{url}" if url.startswith("/") else url


def _headers(given: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): str(value[0] if isinstance(value, list) else value) for name, value in given.items()}
