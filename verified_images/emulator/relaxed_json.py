"""JSON as Azure Resource Manager reads it: with comments, names without quotes, single quotes and trailing commas.

Source: Azure Resource Manager, "Understand the structure and syntax of ARM templates", its comments and multi-line
strings; the azure CLI sends templates as they were written.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")|(?P<single>'(?:[^'\\]|\\.)*')|(?P<comment>//[^\r\n]*|/\*.*?\*/)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)(?=\s*:)|(?P<comma>,)|(?P<space>\s+)|(?P<other>[{}\[\]:]|[^\s"'/,{}\[\]:]+|.)""",
    re.DOTALL,
)


def read_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON text.

    Raises:
        ValueError: it is no JSON, however generously it is read, or not UTF-8.
        RecursionError: it is nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as strict:
        relaxed = _make_strict(text if isinstance(text, str) else text.decode())
        try:
            return json.loads(relaxed, strict=False)
        except ValueError:
            raise strict from None


def _make_strict(text: str) -> str:
    parts: list[str] = []
    comma = False
    for match in _TOKEN.finditer(text):
        kind, token = str(match.lastgroup), match[0]
        if kind in {"comment", "space"}:
            parts.append(" ")
            continue
        if comma and token[0] not in "]}":
            parts.append(",")
        comma = kind == "comma"
        if kind == "single":
            parts.append(json.dumps(re.sub(r"\\(.)", _unescape, token[1:-1], flags=re.DOTALL)))
        elif kind == "name":
            parts.append(json.dumps(token))
        elif not comma:
            parts.append(token)
    return "".join(parts)


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])
