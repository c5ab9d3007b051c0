"""HCL's functions on texts."""

from __future__ import annotations

import json
import re
from typing import Any

from verified_images.templates.packer.hcl.function import Function
from verified_images.templates.packer.hcl.values import (
    LARGEST_TEXT,
    MOST_ITEMS,
    HclError,
    to_bool,
    to_number,
    to_text,
)

_VERB = re.compile(r"%(?:\[(\d{1,4})\])?([-+# 0]*)(\d*)(?:\.(\d*))?(?:\[(\d{1,4})\])?([a-zA-Z%])")
_WIDEST = 4  # digits


def format_text(layout: str, *values: Any) -> str:  # noqa: ANN401 - values of HCL
    """Return the layout with its verbs, such as %s and %03d, replaced by the values."""
    place = 0
    used = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal place, used
        if match[6] == "%":
            return "%"
        if len(match[3]) > _WIDEST or len(match[4] or "") > _WIDEST:
            raise HclError("the widths in the format are too large")
        given = match[1] or match[5]
        place = int(given) if given else place + 1
        used = max(used, place)
        if not 0 < place <= len(values):
            raise HclError(f"the format asks for {place} value(s), but here are {len(values)}")
        return _verb(match, values[place - 1])

    text = _VERB.sub(replaced, layout)
    if used < len(values):
        raise HclError(f"the format asks for {used} value(s), but here are {len(values)}")
    return text


def _verb(match: re.Match[str], value: Any) -> str:  # noqa: ANN401 - values of HCL
    flags, width, precision, verb = match[2], match[3], match[4], match[6]
    layout = f"%{flags}{width}" + ("" if precision is None else f".{precision}")
    match verb:
        case "s":
            return f"{layout}s" % to_text(value)
        case "v":
            shown = json_text(value) if "#" in flags or isinstance(value, list | dict | None) else to_text(value)
            return f"{layout.replace('#', '')}s" % shown
        case "q":
            return json_text(to_text(value))
        case "t":
            return f"%{flags}{width}s" % to_text(to_bool(value))
        case "d" | "x" | "X" | "o" | "b" | "c":
            number = int(to_number(value))
            return f"%{flags}{width}s" % f"{number:b}" if verb == "b" else f"{layout}{verb}" % number
        case "f" | "e" | "E" | "g" | "G":
            return f"{layout}{verb}" % to_number(value)
    raise HclError(f"the format has no verb '%{verb}'")


def json_text(value: Any) -> str:  # noqa: ANN401 - values of HCL
    """Return a value as HCL writes JSON: without spaces, keys sorted, and nothing in it that HTML would read."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def format_list(layout: str, *values: Any) -> list[str]:  # noqa: ANN401 - values of HCL
    """Return the texts of a layout for each round of values; a value that is no list is the same in each."""
    lengths = {len(value) for value in values if isinstance(value, list)}
    if len(lengths) > 1:
        raise HclError("the lists differ in length")
    rounds = lengths.pop() if lengths else 1
    return [
        format_text(layout, *(value[place] if isinstance(value, list) else value for value in values))
        for place in range(rounds)
    ]


def _replace(text: str, old: str, new: str) -> str:
    if text.count(old) * len(new) + len(text) > LARGEST_TEXT:
        raise HclError("the text grows too large")
    return text.replace(old, new)


def _join(separator: str, *lists: list[Any]) -> str:
    return separator.join(to_text(item) for items in lists for item in items)


def _split(separator: str, text: str) -> list[str]:
    parts = text.split(separator) if separator else list(text)
    if len(parts) > MOST_ITEMS:
        raise HclError("there are too many parts")
    return parts


def _substr(text: str, offset: int, length: int) -> str:
    begin = max(offset + len(text), 0) if offset < 0 else offset
    return text[begin:] if length < 0 else text[begin : begin + length]


def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise HclError("this is not a regular expression that is supported") from error


def _groups(match: re.Match[str]) -> Any:  # noqa: ANN401 - values of HCL
    if names := match.groupdict():
        return names
    return list(match.groups()) if match.re.groups else match[0]


def _regex(pattern: str, text: str) -> Any:  # noqa: ANN401 - values of HCL
    match = _pattern(pattern).search(text)
    if match is None:
        raise HclError("the regular expression does not match")
    return _groups(match)


def _regex_replace(text: str, pattern: str, replacement: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            name = reference[1] or reference[2]
            try:
                return match[int(name) if name.isdecimal() else name] or ""
            except (IndexError, ValueError):
                return ""

        return re.sub(r"\$\$|\$\{(\w{1,50})\}|\$(\w{1,50})", group, replacement)

    return _pattern(pattern).sub(replaced, text)


def _indent(spaces: int, text: str) -> str:
    if not 0 <= spaces <= 1000 or text.count("\n") * spaces > LARGEST_TEXT:  # noqa: PLR2004 - nobody indents further
        raise HclError("the text grows too large")
    return text.replace("\n", "\n" + " " * spaces)


def _title(text: str) -> str:
    return re.sub(r"(?<![\w'])[a-z]", lambda match: match[0].upper(), text)


FUNCTIONS: dict[str, Function] = {
    "chomp": Function("s", lambda text: re.sub(r"(?:\r\n|\n|\r)+\Z", "", text)),
    "endswith": Function("ss", lambda text, end: text.endswith(end)),
    "format": Function("s*+", format_text),
    "formatlist": Function("s*+", format_list),
    "indent": Function("is", _indent),
    "join": Function("sl+", _join),
    "lower": Function("s", lambda text: text.lower()),
    "regex": Function("ss", _regex),
    "regexall": Function("ss", lambda pattern, text: [_groups(match) for match in _pattern(pattern).finditer(text)]),
    "regex_replace": Function("sss", _regex_replace),
    "replace": Function("sss", _replace),
    "split": Function("ss", _split),
    "startswith": Function("ss", lambda text, start: text.startswith(start)),
    "strcontains": Function("ss", lambda text, part: part in text),
    "strrev": Function("s", lambda text: text[::-1]),
    "substr": Function("sii", _substr),
    "title": Function("s", _title),
    "trim": Function("ss", lambda text, characters: text.strip(characters)),
    "trimprefix": Function("ss", lambda text, prefix: text.removeprefix(prefix)),
    "trimspace": Function("s", lambda text: text.strip()),
    "trimsuffix": Function("ss", lambda text, suffix: text.removesuffix(suffix)),
    "upper": Function("s", lambda text: text.upper()),
}
"""The functions by name."""
