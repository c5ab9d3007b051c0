"""The state of the local Azure: resources and operations, in memory and on disk.

Reads come from memory; each write goes to an SQLite file in the same call, so that a process killed at any
moment finds what it had acknowledged.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ID_PREFIX = "/subscriptions/"


@dataclass(slots=True)
class Resource:
    """One resource: ``body`` as it goes over the wire, ``hidden`` what the emulator alone knows of it."""

    id: ResourceId
    body: dict[str, Any]
    hidden: dict[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> dict[str, Any]:
        """The resource's properties, there for every type."""
        properties: dict[str, Any] = self.body.setdefault("properties", {})
        return properties

    @property
    def location(self) -> str:
        """The location's name, or an empty string for a child that has none."""
        return str(self.body.get("location", ""))

    @property
    def tags(self) -> dict[str, str]:
        """The resource's tags; an empty dict when it has none."""
        return dict(self.body.get("tags") or {})

    @property
    def state(self) -> str:
        """The provisioning state."""
        return str(self.properties.get("provisioningState", "Succeeded"))


class Store:
    """All resources and operations, by id. ``lock`` is held by whoever reads in order to write."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._resources: dict[str, Resource] = {}
        self._operations: dict[str, dict[str, Any]] = {}
        self._named_by: dict[str, frozenset[str]] = {}
        self._referrers: dict[str, dict[str, None]] = {}
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA secure_delete=ON")  # what is deleted may have held a secret
        self._database.execute("CREATE TABLE IF NOT EXISTS resources (key TEXT PRIMARY KEY, document TEXT NOT NULL)")
        self._database.execute("CREATE TABLE IF NOT EXISTS operations (key TEXT PRIMARY KEY, document TEXT NOT NULL)")
        self._load()

    def _load(self) -> None:
        for (document,) in self._database.execute("SELECT document FROM resources ORDER BY rowid"):
            content = json.loads(document)
            resource = Resource(ResourceId.parse(content["id"]), content["body"], content["hidden"])
            self._resources[resource.id.key] = resource
            self._index(resource)
        for key, document in self._database.execute("SELECT key, document FROM operations ORDER BY rowid"):
            self._operations[key] = json.loads(document)

    def find(self, resource: ResourceId | str) -> Resource | None:
        """Give a copy of the resource, or None."""
        key = resource.strip().rstrip("/").lower() if isinstance(resource, str) else resource.key
        with self.lock:
            found = self._resources.get(key)
            return copy.deepcopy(found) if found else None

    def put(self, resource: Resource) -> None:
        """Write the resource, and when it was made and changed."""
        kept = copy.deepcopy(resource)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        with self.lock:
            before = self._resources.get(resource.id.key)
            kept.hidden["created"] = before.hidden.get("created", now) if before else now
            kept.hidden["changed"] = now
            document = json.dumps({"id": str(kept.id), "body": kept.body, "hidden": kept.hidden})
            self._database.execute(
                "INSERT INTO resources VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET document = excluded.document",
                (kept.id.key, document),
            )
            self._resources[kept.id.key] = kept
            self._index(kept)

    @contextmanager
    def changing(self, resource: ResourceId | str) -> Iterator[Resource | None]:
        """Give the resource to be changed, and write it afterwards; None when it is not there."""
        with self.lock:
            found = self.find(resource)
            yield found
            if found is not None:
                self.put(found)

    def remove(self, resource: ResourceId) -> None:
        """Remove the resource; one that is not there is no error."""
        with self.lock:
            self._database.execute("DELETE FROM resources WHERE key = ?", (resource.key,))
            self._resources.pop(resource.key, None)
            self._forget_references(resource.key)

    def select(self, kind: str | None = None, *, under: ResourceId | None = None) -> list[Resource]:
        """Give copies of the resources of a type (without regard to case), all of them or those under an id."""
        wanted = kind.lower() if kind else None
        prefix = under.key + "/" if under else ""
        with self.lock:
            return [
                copy.deepcopy(resource)
                for key, resource in self._resources.items()
                if key.startswith(prefix) and (wanted is None or resource.id.type.lower() == wanted)
            ]

    def referrers(self, target: ResourceId | str) -> list[Resource]:
        """Give copies of the resources whose bodies name ``target`` (a resource or a part of one), oldest first."""
        key = str(target).strip().rstrip("/").lower()
        with self.lock:
            return [copy.deepcopy(self._resources[referrer]) for referrer in self._referrers.get(key, ())]

    def references(self, resource: ResourceId) -> list[Resource]:
        """Give copies of the resources that the body of one names."""
        with self.lock:
            named = self._named_by.get(resource.key, frozenset())
            return [copy.deepcopy(self._resources[key]) for key in named if key in self._resources]

    def _index(self, resource: Resource) -> None:
        named = frozenset(_ids_in(resource.body)) - {resource.id.key}
        if named == self._named_by.get(resource.id.key, frozenset()):
            return
        self._forget_references(resource.id.key)
        self._named_by[resource.id.key] = named
        for target in named:
            self._referrers.setdefault(target, {})[resource.id.key] = None

    def _forget_references(self, referrer: str) -> None:
        for target in self._named_by.pop(referrer, ()):
            referrers = self._referrers[target]
            del referrers[referrer]
            if not referrers:
                del self._referrers[target]

    def put_operation(self, key: str, document: dict[str, Any]) -> None:
        """Write an operation's document; in memory it is written also when the disk refuses it."""
        with self.lock:
            self._operations[key] = document
            self._database.execute(
                "INSERT INTO operations VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET document = excluded.document",
                (key, json.dumps(document)),
            )

    def find_operation(self, key: str) -> dict[str, Any] | None:
        """Give an operation's document, or None."""
        with self.lock:
            found = self._operations.get(key)
            return copy.deepcopy(found) if found else None

    def remove_operation(self, key: str) -> None:
        """Forget an operation."""
        with self.lock:
            self._database.execute("DELETE FROM operations WHERE key = ?", (key,))
            self._operations.pop(key, None)

    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give copies of all operations."""
        with self.lock:
            yield from copy.deepcopy(self._operations).items()

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._database.close()


def _ids_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        if value[: len(_ID_PREFIX)].lower() == _ID_PREFIX:
            yield value.strip().rstrip("/").lower()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _ids_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ids_in(item)
