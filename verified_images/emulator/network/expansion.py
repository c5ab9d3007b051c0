"""``$expand``: references in an answer that are replaced by what they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.lookup import id_of, named, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

    Render = Callable[[Resource], dict[str, Any]]


_OF_ADDRESS = {"privateIPAddress", "privateIPAllocationMethod", "subnet", "publicIPAddress", "provisioningState"}


def expand(body: dict[str, Any], wanted: str, resolve: Callable[[str], dict[str, Any] | None]) -> dict[str, Any]:
    """Give a body with the references on the paths ``wanted`` (``subnets/ipConfigurations,natGateway``) replaced.

    ``resolve`` gives what an id stands for, or None when that cannot be shown; then the reference stays.
    """
    for path in filter(None, wanted.split(",")):
        names = path.strip().split("/")
        shorten = _shorten if names[-1].lower() == "ipconfigurations" else _leave
        body = _walk(body, names, lambda target, shorten=shorten: shorten(resolve(target)))  # type: ignore[misc]
    return body


def _leave(found: dict[str, Any] | None) -> dict[str, Any] | None:
    return found


def _shorten(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Give an IP configuration as subnets show those that are in them, which is less than their owners show."""
    if found is None:
        return None
    properties = {name: value for name, value in found["properties"].items() if name in _OF_ADDRESS}
    return {**{name: value for name, value in found.items() if name != "type"}, "properties": properties}


def find_shown(cloud: Cloud, render: Render, target: str) -> dict[str, Any] | None:
    """Give a resource or a part of one as it is shown; ``render`` shows a resource."""
    try:
        identifier = ResourceId.parse(target)
    except ValueError:
        return None
    if found := cloud.store.find(identifier):
        return render(found)
    parent = cloud.store.find(identifier.parent) if identifier.parent else None
    items = named(render(parent)["properties"], identifier.types[-1]) if parent else []
    return pick(items, identifier.name)


def _walk(value: Any, path: list[str], resolve: Callable[[str], dict[str, Any] | None]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_walk(item, path, resolve) for item in value]
    if not isinstance(value, dict):
        return value
    if not path:
        return (resolve(id_of(value)) if set(value) == {"id"} else None) or value
    properties = value.get("properties")
    if not isinstance(properties, dict):
        return value
    changed = {
        key: _walk(item, path[1:], resolve) if key.lower() == path[0].lower() else item
        for key, item in properties.items()
    }
    return {**value, "properties": changed}
