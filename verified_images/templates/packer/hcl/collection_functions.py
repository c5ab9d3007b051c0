"""HCL's functions on lists, maps and numbers."""

from __future__ import annotations

import itertools
import math
from typing import Any

from verified_images.templates.packer.hcl.function import Function
from verified_images.templates.packer.hcl.values import (
    MOST_ITEMS,
    HclError,
    bare,
    equal,
    kind_of,
    mark,
    to_bool,
    to_map,
    to_number,
    to_text,
    whole,
)


def _length(value: Any) -> int:  # noqa: ANN401 - values of HCL
    value, _ = bare(value)
    if not isinstance(value, str | list | dict):
        raise HclError(f"text, a list or a map is needed, not {kind_of(value)}")
    return len(value)


def _unique(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    seen: set[str] = set()
    for item in items:
        # Most items are texts, which need not be compared with all the others.
        if isinstance(item, str):
            if item in seen:
                continue
            seen.add(item)
        elif any(equal(item, other) for other in found):
            continue
        found.append(item)
    return found


def _flatten(items: list[Any], depth: int = 0) -> list[Any]:
    if depth > 50:  # noqa: PLR2004 - nobody nests lists so deeply
        raise HclError("the lists are nested too deeply")
    found: list[Any] = []
    for item in items:
        inner, marked = bare(item)
        if isinstance(inner, list):
            found += [mark(each, marked=marked) for each in _flatten(inner, depth + 1)]
        else:
            found.append(item)
    return found


def _merge(*maps: Any) -> dict[str, Any]:  # noqa: ANN401 - values of HCL
    return {key: item for each in maps if each is not None for key, item in to_map(each).items()}


def _lookup(collection: dict[str, Any], key: str, *default: Any) -> Any:  # noqa: ANN401 - values of HCL
    if key in collection:
        return collection[key]
    if not default:
        raise HclError(f"there is no '{key}' in the map")
    return default[0]


def _element(items: list[Any], place: int) -> Any:  # noqa: ANN401 - values of HCL
    if not items:
        raise HclError("the list is empty")
    return items[place % len(items)]


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise HclError(f"the list has {len(items)} item(s), so that there is no part from {start} to {end}")
    return items[start:end]


def _coalesce(*values: Any) -> Any:  # noqa: ANN401 - values of HCL
    for value in values:
        if bare(value)[0] not in (None, ""):
            return value
    raise HclError("all values are null or empty")


def _coalesce_list(*lists: list[Any]) -> list[Any]:
    for items in lists:
        if items:
            return items
    raise HclError("all lists are empty")


def _contains(items: list[Any], value: Any) -> bool:  # noqa: ANN401 - values of HCL
    return any(equal(item, value) for item in items)


def _index(items: list[Any], value: Any) -> int:  # noqa: ANN401 - values of HCL
    for place, item in enumerate(items):
        if equal(item, value):
            return place
    raise HclError("the value is not in the list")


def _zipmap(keys: list[Any], values: list[Any]) -> dict[str, Any]:
    if len(keys) != len(values):
        raise HclError(f"there are {len(keys)} key(s) for {len(values)} value(s)")
    return {to_text(key): value for key, value in zip(keys, values, strict=True)}


def _range(*bounds: float) -> list[int | float]:
    start, end, step = {1: (0, *bounds, 1), 2: (*bounds, 1), 3: bounds}[len(bounds)]
    if len(bounds) != 3 and end < start:  # noqa: PLR2004 - start, end and step
        step = -1
    if step == 0 or (end - start) / step > MOST_ITEMS:
        raise HclError("the range has too many numbers")
    found = []
    while (start < end) if step > 0 else (start > end):
        found.append(whole(start))
        start += step
    return found


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    if size < 0:
        raise HclError("the size of a part must not be negative")
    return [items[place : place + size] for place in range(0, len(items), size)] if size else [items]


def _product(*lists: list[Any]) -> list[list[Any]]:
    if math.prod(map(len, lists)) > MOST_ITEMS:
        raise HclError("there are too many combinations")
    return [list(items) for items in itertools.product(*lists)]


def _intersection(first: list[Any], *others: list[Any]) -> list[Any]:
    return _unique([item for item in first if all(_contains(items, item) for items in others)])


def _sum(items: list[Any]) -> int | float:
    if not items:
        raise HclError("the list is empty")
    return whole(sum(map(to_number, items)))


def _pow(base: float, exponent: float) -> int | float:
    if abs(exponent) > 512:  # noqa: PLR2004 - the precision of HCL's numbers
        raise HclError("the number is too large")
    result = base**exponent
    if isinstance(result, complex):
        raise HclError("the result is not a number")
    return whole(result)


def _parse_int(text: str, base: int) -> int:
    if not 2 <= base <= 36 or len(text) > 150:  # noqa: PLR2004 - the bases that digits and letters can write
        raise HclError("the base must be between 2 and 36")
    return int(text, base)


def _reverse(items: list[Any]) -> list[Any]:
    return items[::-1]


FUNCTIONS: dict[str, Function] = {
    "abs": Function("n", abs),
    "alltrue": Function("l", lambda items: all(map(to_bool, items))),
    "anytrue": Function("l", lambda items: any(map(to_bool, items))),
    "ceil": Function("n", math.ceil),
    "chunklist": Function("li", _chunks, whole=False),
    "coalesce": Function("*+", _coalesce, whole=False),
    "coalescelist": Function("l+", _coalesce_list, whole=False),
    "compact": Function("l", lambda items: [item for item in items if bare(item)[0] not in (None, "")], whole=False),
    "concat": Function("l+", lambda *lists: [item for items in lists for item in items], whole=False),
    "contains": Function("l*", _contains),
    "distinct": Function("l", _unique, whole=False),
    "element": Function("li", _element, whole=False),
    "flatten": Function("l", _flatten, whole=False),
    "floor": Function("n", math.floor),
    "index": Function("l*", _index),
    "keys": Function("m", sorted),
    "length": Function("*", _length),
    "log": Function("nn", lambda number, base: whole(math.log(number, base))),
    "lookup": Function("ms?*", _lookup, whole=False),
    "max": Function("n+", max),
    "merge": Function("*+", _merge, whole=False),
    "min": Function("n+", min),
    "parseint": Function("si", _parse_int),
    "pow": Function("nn", _pow),
    "range": Function("n?nn", _range),
    "reverse": Function("l", _reverse, whole=False),
    "setintersection": Function("ll+", _intersection),
    "setproduct": Function("l+", _product, whole=False),
    "setunion": Function("l+", lambda *lists: _unique([item for items in lists for item in items]), whole=False),
    "signum": Function("n", lambda number: (number > 0) - (number < 0)),
    "slice": Function("lii", _slice, whole=False),
    "sort": Function("l", lambda items: sorted(map(to_text, items))),
    "sum": Function("l", _sum),
    "values": Function("m", lambda entries: [entries[key] for key in sorted(entries)], whole=False),
    "zipmap": Function("ll", _zipmap, whole=False),
}
"""The functions by name."""
