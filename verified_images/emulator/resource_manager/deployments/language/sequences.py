"""Functions on arrays and objects. Source: "Array functions" and "Object functions for ARM templates"."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

import copy
import json
from typing import Any

from verified_images.emulator.resource_manager.deployments.language.registry import declare, refuse
from verified_images.emulator.resource_manager.deployments.language.texts import to_text


def find_key(value: dict[str, Any], key: str) -> str | None:
    """Give an object's own spelling of a property name, which counts in any case; None when it has none."""
    if key in value:
        return key
    return next((name for name in value if name.lower() == key.lower()), None)


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _create_array(*items: Any) -> list[Any]:
    return list(items)


def _create_object(*parts: Any) -> dict[str, Any]:
    if len(parts) % 2 or not all(isinstance(key, str) for key in parts[::2]):
        raise refuse("createObject", "the arguments have to be pairs of a string and a value")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, dict):
        return find_key(container, to_text(item)) is not None
    if isinstance(container, str):
        return to_text(item) in container
    if isinstance(container, list):
        return item in container
    raise refuse("contains", "the first argument has to be an array, an object or a string")


def _empty(value: list[Any] | dict[str, Any] | str | None) -> bool:
    return not value


def _first(value: list[Any] | str) -> Any:
    return value[0] if value else ("" if isinstance(value, str) else None)


def _last(value: list[Any] | str) -> Any:
    return value[-1] if value else ("" if isinstance(value, str) else None)


def _length(value: list[Any] | str | dict[str, Any]) -> int:
    return len(value)


def _index_of(container: list[Any] | str, item: Any) -> int:
    if isinstance(container, str):
        return container.lower().find(to_text(item).lower())
    return container.index(item) if item in container else -1


def _last_index_of(container: list[Any] | str, item: Any) -> int:
    if isinstance(container, str):
        return container.lower().rfind(to_text(item).lower())
    return len(container) - 1 - container[::-1].index(item) if item in container else -1


def _numbers(name: str, values: tuple[Any, ...]) -> list[int]:
    numbers = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not numbers or not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise refuse(name, "the arguments have to be integers or one array of integers")
    return list(numbers)


def _max(*values: Any) -> int:
    return max(_numbers("max", values))


def _min(*values: Any) -> int:
    return min(_numbers("min", values))


def _range(start: int, count: int) -> list[int]:
    if not 0 <= count <= 10_000:  # noqa: PLR2004 - Azure's own limit
        raise refuse("range", f"the count '{count}' has to be between 0 and 10000")
    return list(range(start, start + count))


def _skip(value: list[Any] | str, count: int) -> Any:
    return value[max(0, count) :]


def _take(value: list[Any] | str, count: int) -> Any:
    return value[: max(0, count)]


def _union(first: list[Any] | dict[str, Any], *others: Any) -> Any:
    if isinstance(first, dict):
        merged = copy.deepcopy(first)
        for other in others:
            _merge_into(merged, _same("union", first, other))
        return merged
    items: list[Any] = []
    for value in (first, *(_same("union", first, other) for other in others)):
        items.extend(item for item in value if item not in items)
    return items


def _same(name: str, first: Any, other: Any) -> Any:
    if type(first) is not type(other):
        raise refuse(name, "the arguments have to be all arrays or all objects")
    return other


def _merge_into(merged: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        known = find_key(merged, key) or key
        if isinstance(value, dict) and isinstance(merged.get(known), dict):
            _merge_into(merged[known], value)
        else:
            merged[known] = copy.deepcopy(value)


def _intersection(first: list[Any] | dict[str, Any], *others: Any) -> Any:
    result: Any = copy.deepcopy(first)
    for other in others:
        _same("intersection", first, other)
        if isinstance(result, dict):
            result = {key: value for key, value in result.items() if key in other and other[key] == value}
        else:
            result = [item for item in result if item in other]
    return result


def _shallow_merge(values: list[Any]) -> dict[str, Any]:
    return {key: value for item in values for key, value in item.items()}


def _flatten(values: list[Any]) -> list[Any]:
    if not all(isinstance(value, list) for value in values):
        raise refuse("flatten", "the argument has to be an array of arrays")
    return [item for value in values for item in value]


def _items(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _object_keys(value: dict[str, Any]) -> list[str]:
    return sorted(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse("json", f"the value '{text}' is not valid JSON") from error


def _try_get(value: Any, *path: Any) -> Any:
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            known = find_key(value, key)
            value = value[known] if known is not None else None
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key] if 0 <= key < len(value) else None
        else:
            return None
    return value


def _index_from_end(value: list[Any], index: int) -> Any:
    if not 1 <= index <= len(value):
        raise refuse("indexFromEnd", f"the index '{index}' is out of bounds")
    return value[-index]


FUNCTIONS = declare(
    {
        "array": _array,
        "contains": _contains,
        "createArray": _create_array,
        "createObject": _create_object,
        "empty": _empty,
        "first": _first,
        "flatten": _flatten,
        "indexFromEnd": _index_from_end,
        "indexOf": _index_of,
        "intersection": _intersection,
        "items": _items,
        "json": _json,
        "last": _last,
        "lastIndexOf": _last_index_of,
        "length": _length,
        "max": _max,
        "min": _min,
        "objectKeys": _object_keys,
        "range": _range,
        "shallowMerge": _shallow_merge,
        "skip": _skip,
        "take": _take,
        "tryGet": _try_get,
        "union": _union,
    }
)
