"""The values of Packer's options, read as Packer does: "true" is true, a text is a list of one, "" is not given."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from verified_images.templates.fields import parse_duration, reveal
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.findings import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.problems import KeyPath


class Kind(Enum):
    """The type that an option's value has, or is made of."""

    TEXT = "text"
    SECRET = "text that may hold a secret"  # noqa: S105 - a kind of value
    BOOL = "true or false"
    INT = "a whole number"
    NUMBER = "a number"
    DURATION = "a duration with its unit, such as 20m"
    TEXTS = "a list of texts"
    SECRETS = "a list of texts that may hold secrets"
    INTS = "a list of whole numbers"
    MAP = "a mapping of names to texts"
    SECRET_MAP = "a mapping of names to texts that may hold secrets"  # noqa: S105 - a kind of value
    BLOCK = "a block"
    BLOCKS = "one or more blocks"


class Option(NamedTuple):
    """An option's type, and one of: the key ``to`` which it goes, the reason why it is ``ignored``, or neither.

    Options with neither are put together with others by whoever reads them.
    """

    kind: Kind
    to: str = ""
    ignored: str = ""


class Options:
    """The options of a section that are given, with values of the right types."""

    def __init__(self, path: KeyPath, values: Mapping[str, Any], findings: Findings) -> None:
        self.path = path
        self._values = values
        self._findings = findings

    def get(self, name: str) -> Any:  # noqa: ANN401 - the option's kind tells
        """Return an option's value, or None if it is not given or wrong."""
        return self._values.get(name)

    def has(self, *names: str) -> bool:
        """Tell whether any of the options is given, be it with a wrong value."""
        return any(name in self._values or self._findings.holds_spoilt((*self.path, name)) for name in names)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._values.items())


def read_options(section: Section, table: Mapping[str, Option], findings: Findings, what: str) -> Options:
    """Return the options of ``section``, whose type is ``what``; note those that are unknown, wrong, or ignored."""
    values: dict[str, Any] = {}
    for name, raw in section.data.items():
        path = (*section.path, name)
        option = table.get(name)
        if option is None:
            findings.error(path, f"{what} has no option '{name}'{did_you_mean(name, table)}")
            continue
        if raw == "":
            findings.empty(path)
        value = None if findings.is_spoilt(path) else _read(raw, option.kind, path, findings)
        if value is None:
            continue
        if option.ignored and value is not False:  # which asks for nothing
            findings.warn(path, f"this has no effect: {option.ignored}")
        elif not option.ignored:
            values[name] = value
    return Options(section.path, values, findings)


def blocks_of(value: object, path: KeyPath) -> tuple[Section, ...]:
    """Return the sections of an option that is a block, or a list of blocks."""
    if isinstance(value, Mapping):
        return (Section(value, path),)
    return tuple(Section(item, (*path, place)) for place, item in enumerate(value if isinstance(value, list) else ()))


def _read(raw: object, kind: Kind, path: KeyPath, findings: Findings) -> Any:  # noqa: ANN401 - the kind tells
    if _is_nothing(raw) or (kind is Kind.BLOCK and isinstance(raw, Mapping) and all(map(_is_nothing, raw.values()))):
        return None
    try:
        value = _READERS[kind](raw)
    except (ValueError, OverflowError):
        findings.error(path, f"{kind.value} is needed, not {_shown(raw)}")
        return None
    if kind in _PLAIN and _holds_secret(raw):
        findings.warn(path, "a sensitive value is used here: whoever sees the resource in Azure can read it")
    return None if kind is Kind.INT and value == 0 else value


def _is_nothing(raw: object) -> bool:
    """Tell whether Packer takes the value for one that is not given."""
    return raw is None or raw in ("", [], {}) or (isinstance(raw, SecretStr) and not raw.get_secret_value())


_PLAIN = (Kind.TEXT, Kind.TEXTS, Kind.MAP, Kind.BOOL, Kind.INT, Kind.INTS, Kind.NUMBER, Kind.DURATION)


def _holds_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_secret, value.values()))
    if isinstance(value, list):
        return any(map(_holds_secret, value))
    return isinstance(value, SecretStr)


def plain_text(value: object) -> str:
    """Return a scalar as text; ValueError for anything else."""
    match value:
        case str() | SecretStr():
            return reveal(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value) if value != int(value) else str(int(value))
    raise ValueError


def _secret_text(value: object) -> SecretStr | str:
    return value if isinstance(value, SecretStr) else plain_text(value)


def _bool(value: object) -> bool:
    text = plain_text(value)
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise ValueError


def _int(value: object) -> int:
    text = plain_text(value)
    if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        raise ValueError
    return int(text)


def _number(value: object) -> float:
    text = plain_text(value)
    if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?", text, re.ASCII):
        raise ValueError
    return float(text)


def _duration(value: object) -> float:
    text = plain_text(value)
    if text != "0" and re.fullmatch(r"[\d.]+", text):  # Go knows no duration without a unit
        raise ValueError
    return parse_duration(text)


def _list(read: Callable[[object], Any]) -> Callable[[object], list[Any]]:
    return lambda value: [read(item) for item in (value if isinstance(value, list) else [value])]


def _map(read: Callable[[object], Any]) -> Callable[[object], dict[str, Any]]:
    def read_map(value: object) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, Mapping):
                raise ValueError  # noqa: TRY004 - one sentence for all that is not of its kind
            found |= {name: read("" if item is None else item) for name, item in mapping.items()}
        return found

    return read_map


def _block(value: object) -> object:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Mapping):
        raise ValueError  # noqa: TRY004 - one sentence for all that is not of its kind
    return value


def _blocks(value: object) -> object:
    if not isinstance(value, Mapping) and not (
        isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
    ):
        raise ValueError
    return value


_READERS: dict[Kind, Callable[[object], Any]] = {
    Kind.TEXT: plain_text,
    Kind.SECRET: _secret_text,
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.NUMBER: _number,
    Kind.DURATION: _duration,
    Kind.TEXTS: _list(plain_text),
    Kind.SECRETS: _list(_secret_text),
    Kind.INTS: _list(_int),
    Kind.MAP: _map(plain_text),
    Kind.SECRET_MAP: _map(_secret_text),
    Kind.BLOCK: _block,
    Kind.BLOCKS: _blocks,
}


def _shown(value: object) -> str:
    match value:
        case SecretStr():
            return "this secret"
        case Mapping():
            return "a mapping"
        case list():
            return "this list"
        case str() if len(value) > 60:  # noqa: PLR2004 - about a line
            return f"{value[:60]!r}..."
        case _:
            return repr(value)
