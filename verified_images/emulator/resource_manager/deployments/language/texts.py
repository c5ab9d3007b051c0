"""Functions on strings. Source: Azure Resource Manager, "String functions for ARM templates"."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

import json
import re
from typing import Any

from verified_images.emulator.resource_manager.deployments.language.registry import declare, refuse

_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}")


def to_text(value: Any) -> str:
    """Give a value as the functions that make strings write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _concat(*parts: Any) -> Any:
    if parts and all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    if any(isinstance(part, (list, dict)) for part in parts):
        raise refuse("concat", "the arguments have to be all arrays or all strings")
    return "".join(to_text(part) for part in parts)


def _format(pattern: str, *values: Any) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        index = int(match[1])
        if index >= len(values):
            raise refuse("format", f"the format string '{pattern}' names argument {index}, which is not there")
        text = _with_style(values[index], match[3] or "")
        width = int(match[2] or 0)
        return text.rjust(width) if width > 0 else text.ljust(-width)

    return _HOLE.sub(fill, pattern)


def _with_style(value: Any, style: str) -> str:
    kind, digits = style[:1].upper(), style[1:]
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and kind in {"D", "X", "N"}
        and digits.isdigit() | (not digits)
    ):
        if kind == "N":
            return f"{value:,.{digits or 2}f}"
        written = f"{value:x}" if style[:1] == "x" else f"{value:X}" if kind == "X" else str(value)
        return written.zfill(int(digits or 0))
    if isinstance(value, int) and not isinstance(value, bool) and style and set(style) == {"0"}:
        return str(value).zfill(len(style))
    return to_text(value)


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if not 0 <= start <= end <= len(text):
        raise refuse(
            "substring",
            "the index and length parameters must refer to a location within the string: index "
            f"'{start}', length '{end - start}', length of the string '{len(text)}'",
        )
    return text[start:end]


def _split(text: str, delimiters: str | list[Any]) -> list[str]:
    marks = [delimiters] if isinstance(delimiters, str) else [to_text(mark) for mark in delimiters]
    wanted = [re.escape(mark) for mark in marks if mark]
    return re.split("|".join(wanted), text) if wanted else [text]


def _pad_left(value: str | int, length: int, padding: str = " ") -> str:
    if len(padding) != 1:
        raise refuse("padLeft", "the padding has to be one character")
    return str(value).rjust(length, padding)


def _join(items: list[Any], delimiter: str) -> str:
    return delimiter.join(to_text(item) for item in items)


def _string(value: Any) -> str:
    return to_text(value)


def _starts_with(text: str, start: str) -> bool:
    return text.lower().startswith(start.lower())


def _ends_with(text: str, end: str) -> bool:
    return text.lower().endswith(end.lower())


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        raise refuse("replace", "the string to replace is empty")
    return text.replace(old, new)


FUNCTIONS = declare(
    {
        "concat": _concat,
        "endsWith": _ends_with,
        "format": _format,
        "join": _join,
        "padLeft": _pad_left,
        "replace": _replace,
        "split": _split,
        "startsWith": _starts_with,
        "string": _string,
        "substring": _substring,
    }
)


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


def _trim(text: str) -> str:
    return text.strip()


FUNCTIONS |= declare({"toLower": _lower, "toUpper": _upper, "trim": _trim})
