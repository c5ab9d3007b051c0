"""How a sub-resource is found: it lives in a list of the body of its parent, whose etag and state it shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.emulator.cloud import Cloud


def find_part(cloud: Cloud, part: ResourceId | str) -> dict[str, Any] | None:
    """Give the sub-resource (a subnet, a pool, a rule) as its parent keeps it, or None when it does not exist."""
    try:
        identifier = ResourceId.parse(part) if isinstance(part, str) else part
    except ValueError:
        return None
    parent = cloud.store.find(identifier.parent) if identifier.parent else None
    if parent is None:
        return None
    collection = named(parent.properties, identifier.types[-1])
    return pick(collection, identifier.name)


def named(properties: dict[str, Any], collection: str) -> list[dict[str, Any]]:
    """Give the list of sub-resources under a name that is compared without regard to case."""
    for key, value in properties.items():
        if key.lower() == collection.lower() and isinstance(value, list):
            return value
    return []


def pick(items: Iterable[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Give the item of a name, compared without regard to case."""
    wanted = name.lower()
    return next((item for item in items if str(item.get("name", "")).lower() == wanted), None)


def id_of(reference: Any) -> str:  # noqa: ANN401 - any JSON value
    """Give the id in a reference, ``{"id": "..."}``; an empty string when there is none."""
    return str(reference.get("id") or "") if isinstance(reference, dict) else ""
