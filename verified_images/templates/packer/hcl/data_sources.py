"""The data sources of a Packer HCL template, each asked when a value of it is first used.

Reading a template runs no program and signs in nowhere: of Packer's own data sources, ``null`` and ``http`` are asked,
and the others are refused where something uses them.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.hcl.scope import Names, UnknownValueError
from verified_images.templates.packer.hcl.values import DataSourceError, HclError
from verified_images.templates.packer.values import Kind, Option, read_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from pathlib import Path

    from verified_images.templates.packer.hcl.bodies import BodyReader
    from verified_images.templates.packer.hcl.scope import Scope
    from verified_images.templates.packer.hcl.syntax import Block
    from verified_images.templates.packer.values import Options
    from verified_images.templates.problems import KeyPath

LARGEST_ANSWER = 1024 * 1024
"""Larger answers are refused, in bytes."""
ANSWER_TIMEOUT = 20.0
"""How long a server may take to go on with its answer, in seconds."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_TABLES: dict[str, dict[str, Option]] = {
    "null": {"input": Option(Kind.TEXT, to="input")},
    "http": {
        "url": Option(Kind.TEXT, to="url"),
        "method": Option(Kind.TEXT, to="method"),
        "request_headers": Option(Kind.MAP, to="request_headers"),
        "request_body": Option(Kind.TEXT, to="request_body"),
    },
}
_ELSEWHERE = {
    "azure-keyvaultsecret": "read the secret before (az keyvault secret show) and give it as a sensitive variable",
    "external": "run the program before, since reading a template runs none, and give its result as a variable",
    "external-raw": "run the program before, since reading a template runs none, and give its output as a variable",
    **dict.fromkeys(
        ("hcp-packer-artifact", "hcp-packer-image", "hcp-packer-iteration", "hcp-packer-version"),
        "HCP Packer is not asked; give the id of the image as a variable",
    ),
}


class _Declared(NamedTuple):
    block: Block
    path: KeyPath
    file: Path


class HclDataSources:
    """The data sources; ``scope`` is what their options may use, themselves included, and is set once it is known."""

    scope: Scope

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._found: dict[str, dict[str, _Declared]] = {}
        self._values: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._pending: list[str] = []

    def declare(self, block: Block, file: Path) -> None:
        """Take a ``data`` block; one that cannot be asked is left out, which is noted."""
        kind, name = block.labels
        path = ("data", kind, name)
        self._reader.places.note(path, file, block.line)
        if name in self._found.setdefault(kind, {}):
            self._reader.findings.error(path, f"there is another data source '{kind}.{name}'")
        self._found[kind].setdefault(name, _Declared(block, path, file))
        if kind not in _TABLES:
            self._reader.findings.warn(path, f"this is left out: {_refusal(kind)}")

    def names(self) -> Names:
        """Return what ``data`` stands for."""
        known = [f"{kind}.{name}" for kind, names in self._found.items() for name in names]

        def explain(kind: str) -> str:
            return f"there is no data source '{kind}'{did_you_mean(kind, known)}"

        return Names(lambda kind: self._of_kind(kind, known), self._found, explain)

    def _of_kind(self, kind: str, known: list[str]) -> Names:
        def explain(name: str) -> str:
            return f"there is no data source '{kind}.{name}'{did_you_mean(f'{kind}.{name}', known)}"

        return Names(lambda name: self._value(kind, name), self._found[kind], explain)

    def _value(self, kind: str, name: str) -> dict[str, Any]:
        if kind not in _TABLES:
            raise DataSourceError(_refusal(kind))
        if (kind, name) not in self._values:
            shown = f"data.{kind}.{name}"
            if shown in self._pending:
                raise HclError(f"the data sources need each other: {' -> '.join((*self._pending, shown))}")
            self._pending.append(shown)
            try:
                self._values[kind, name] = self._ask(kind, self._found[kind][name])
            finally:
                self._pending.pop()
        value = self._values[kind, name]
        if value is None:
            raise UnknownValueError
        return value

    def _ask(self, kind: str, declared: _Declared) -> dict[str, Any] | None:
        """Return the answer of a data source, or None if something is wrong with it, which is noted."""
        findings, path = self._reader.findings, declared.path
        section = self._reader.section(declared.block.body, path, declared.file, self.scope)
        options = read_options(section, _TABLES[kind], findings, f"the data source '{kind}'")
        if findings.holds_spoilt(path):
            return None
        required = next(iter(_TABLES[kind]))
        if options.get(required) is None:
            findings.requires(path, required)
            return None
        try:
            return _ASK[kind](options)
        except DataSourceError as error:
            findings.error(path, str(error))
            return None


def _refusal(kind: str) -> str:
    advice = _ELSEWHERE.get(kind, "give what it tells as a variable")
    return f"the data source '{kind}' is not supported: {advice}"


def _ask_null(options: Options) -> dict[str, Any]:
    return {"output": options.get("input")}


def _ask_http(options: Options) -> dict[str, Any]:
    url, method = options.get("url"), options.get("method") or "GET"
    if method not in _METHODS:
        raise DataSourceError(f"the method must be one of {', '.join(_METHODS)}, not '{method}'")
    if not url.lower().startswith(("http://", "https://")):
        raise DataSourceError(f"'{url[:100]}' is not a URL of http or https")
    given = tuple(sorted((options.get("request_headers") or {}).items()))
    body, headers = _fetch(url, method, given, options.get("request_body"))
    return {"url": url, "body": body, "request_headers": dict(headers)}


# A template is read several times in a session, which must not see different answers.
@lru_cache(maxsize=256)
def _fetch(
    url: str, method: str, headers: tuple[tuple[str, str], ...], body: str | None
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the text and the headers of an answer."""
    data = None if body is None else body.encode()
    try:
        request = urllib.request.Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310 - of http only
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT) as answer:  # noqa: S310 - of http only
            content = answer.read(LARGEST_ANSWER + 1)
            return _text(url, content, answer.headers), tuple(answer.headers.items())
    except urllib.error.HTTPError as error:
        raise DataSourceError(f"{url} answered with the status {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataSourceError(f"{url} did not answer: {reason}") from error


def _text(url: str, content: bytes, headers: Message) -> str:
    """Return an answer as text, which Packer takes of these types only."""
    kind = headers.get_content_type()
    if not kind.startswith("text/") and kind not in {"application/json", "application/samlmetadata+xml"}:
        raise DataSourceError(f"{url} answered with {kind}; text or JSON is needed")
    if len(content) > LARGEST_ANSWER:
        raise DataSourceError(f"the answer of {url} is larger than {LARGEST_ANSWER // 1024} KiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataSourceError(f"the answer of {url} is not UTF-8 text") from error


_ASK: dict[str, Callable[[Options], dict[str, Any]]] = {"null": _ask_null, "http": _ask_http}
