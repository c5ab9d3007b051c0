"""The values of HCL's expressions: None, truth values, numbers, texts, lists and dictionaries; and secret ones."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from pydantic import SecretStr

LARGEST_TEXT = 1024 * 1024
"""No text may grow beyond this number of characters."""
MOST_ITEMS = 100_000
"""No list or map may have more items."""


class HclError(Exception):
    """An expression has no value; the message is fit to be shown once secrets are masked in it."""


class DataSourceError(HclError):
    """A data source cannot be asked, or had no answer."""


class Marked(NamedTuple):
    """A value that came from something sensitive."""

    value: Any


def bare(value: Any) -> tuple[Any, bool]:  # noqa: ANN401 - values of HCL
    """Return a value without its mark, and whether it had one."""
    return (value.value, True) if isinstance(value, Marked) else (value, False)


def bare_throughout(value: Any) -> tuple[Any, bool]:  # noqa: ANN401 - values of HCL
    """Return a value without any mark in it, and whether there were any."""
    if isinstance(value, Marked):
        return bare_throughout(value.value)[0], True
    if isinstance(value, list):
        items = [bare_throughout(item) for item in value]
        return [item for item, _ in items], any(marked for _, marked in items)
    if isinstance(value, dict):
        entries = {key: bare_throughout(item) for key, item in value.items()}
        return {key: item for key, (item, _) in entries.items()}, any(marked for _, marked in entries.values())
    return value, False


def mark(value: Any, *, marked: bool) -> Any:  # noqa: ANN401 - values of HCL
    """Return the value with a mark, if it is to have one."""
    return Marked(value) if marked and not isinstance(value, Marked) else value


def to_options(value: Any, *, marked: bool = False) -> Any:  # noqa: ANN401 - values of HCL
    """Return a value as an option of Packer: what is marked becomes a SecretStr."""
    if isinstance(value, Marked):
        return to_options(value.value, marked=True)
    if isinstance(value, list):
        return [to_options(item, marked=marked) for item in value]
    if isinstance(value, dict):
        return {key: to_options(item, marked=marked) for key, item in value.items()}
    return SecretStr(to_text(value)) if marked and value is not None else value


def to_text(value: Any) -> str:  # noqa: ANN401 - values of HCL
    """Return a text, number or truth value as text; HclError for anything else."""
    value, _ = bare(value)
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value)
    raise HclError(f"text is needed, not {kind_of(value)}")


def to_number(value: Any) -> int | float:  # noqa: ANN401 - values of HCL
    """Return a number, or a text that is one; HclError for anything else."""
    value, _ = bare(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 100:  # noqa: PLR2004 - longer ones are no numbers
        try:
            return whole(float(value)) if not value.lstrip("+-").isdecimal() else int(value)
        except (ValueError, OverflowError):
            pass
    raise HclError(f"a number is needed, not {kind_of(value)}")


def to_bool(value: Any) -> bool:  # noqa: ANN401 - values of HCL
    """Return a truth value, or a text that is one; HclError for anything else."""
    value, _ = bare(value)
    if isinstance(value, bool):
        return value
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise HclError(f"true or false is needed, not {kind_of(value)}")


def to_list(value: Any) -> list[Any]:  # noqa: ANN401 - values of HCL
    """Return a list; HclError for anything else."""
    value, marked = bare(value)
    if not isinstance(value, list):
        raise HclError(f"a list is needed, not {kind_of(value)}")
    return [mark(item, marked=marked) for item in value]


def to_map(value: Any) -> dict[str, Any]:  # noqa: ANN401 - values of HCL
    """Return a map; HclError for anything else."""
    value, marked = bare(value)
    if not isinstance(value, dict):
        raise HclError(f"a map is needed, not {kind_of(value)}")
    return {key: mark(item, marked=marked) for key, item in value.items()}


def whole(number: int | float) -> int | float:  # noqa: PYI041 - whole numbers are treated apart
    """Return a number as HCL knows it: 2.0 is 2; HclError for infinity and what is no number."""
    if isinstance(number, float):
        if not math.isfinite(number):
            raise HclError("the number is too large")
        return int(number) if number.is_integer() else number
    if number.bit_length() > 512:  # noqa: PLR2004 - the precision of HCL's numbers
        raise HclError("the number is too large")
    return number


def equal(left: Any, right: Any) -> bool:  # noqa: ANN401 - values of HCL
    """Tell whether two values are the same, also in their types: "1" is not 1, and 1 is not true."""
    left, _ = bare(left)
    right, _ = bare(right)
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    return bool(left == right)


def check_size(value: Any) -> Any:  # noqa: ANN401 - values of HCL
    """Return the value; HclError if it has grown too large."""
    if isinstance(value, str) and len(value) > LARGEST_TEXT:
        raise HclError(f"the text grows beyond {LARGEST_TEXT} characters")
    if isinstance(value, list | dict) and len(value) > MOST_ITEMS:
        raise HclError(f"there are more than {MOST_ITEMS} items")
    return value


def kind_of(value: object) -> str:
    """Return what a value is, for messages."""
    if value is None:
        return "null"
    return next((name for kind, name in _KINDS.items() if isinstance(value, kind)), "this")


_KINDS = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "a map"}
