"""What scale sets do by themselves: a thread for each that looks at it again and again while its policy asks for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

_watched: set[tuple[int, str, str]] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Watch:
    """Something that scale sets do by themselves.

    ``interval`` gives the seconds until the next look at a scale set, or None when it does not ask for it (any more);
    ``begin`` makes what looks at one, which may remember what it saw.
    """

    name: str
    interval: Callable[[Cloud, Resource], float | None]
    begin: Callable[[], Callable[[Cloud, Resource], None]]


def keep_watch(cloud: Cloud, identifier: ResourceId, watch: Watch) -> None:
    """Begin to look at a scale set if it asks for it; one that is watched already is left at that."""
    key = id(cloud), watch.name, identifier.key
    with _lock:
        if key in _watched or _interval(cloud, identifier, watch) is None:
            return
        _watched.add(key)
    threading.Thread(target=_watch, args=(cloud, identifier, watch, key), name=watch.name, daemon=True).start()


def _interval(cloud: Cloud, identifier: ResourceId, watch: Watch) -> float | None:
    scale_set = cloud.store.find(identifier)
    return None if scale_set is None or scale_set.state == "Deleting" else watch.interval(cloud, scale_set)


def _watch(cloud: Cloud, identifier: ResourceId, watch: Watch, key: tuple[int, str, str]) -> None:
    look = watch.begin()
    try:
        while (seconds := _interval(cloud, identifier, watch)) is not None:
            if cloud.closing.wait(seconds):
                return
            if scale_set := cloud.store.find(identifier):
                look(cloud, scale_set)
    finally:
        with _lock:
            _watched.discard(key)
