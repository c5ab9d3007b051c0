"""What the local Azure keeps besides resources and operations: locks, role assignments, applications, registrations.

A record is a JSON object in a collection, under a key that is compared without regard to case.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Records:
    """The records of one local Azure, in memory and in an SQLite file; ``lock`` is held to read in order to write."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA secure_delete=ON")  # what is deleted may have held a secret
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS records (collection TEXT, key TEXT, document TEXT NOT NULL, "
            "PRIMARY KEY (collection, key))"
        )
        self._records: dict[str, dict[str, dict[str, Any]]] = {}
        for collection, key, document in self._database.execute("SELECT * FROM records ORDER BY rowid"):
            self._records.setdefault(collection, {})[key] = json.loads(document)

    def find(self, collection: str, key: str) -> dict[str, Any] | None:
        """Give a copy of a record, or None."""
        with self.lock:
            return copy.deepcopy(self._records.get(collection, {}).get(key.lower()))

    def put(self, collection: str, key: str, document: dict[str, Any]) -> None:
        """Write a record."""
        with self.lock:
            self._database.execute(
                "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
                (collection, key.lower(), json.dumps(document)),
            )
            self._records.setdefault(collection, {})[key.lower()] = copy.deepcopy(document)

    def remove(self, collection: str, key: str) -> dict[str, Any] | None:
        """Remove a record and give what it was, or None when there was none."""
        with self.lock:
            self._database.execute("DELETE FROM records WHERE collection = ? AND key = ?", (collection, key.lower()))
            return self._records.get(collection, {}).pop(key.lower(), None)

    def select(self, collection: str) -> list[dict[str, Any]]:
        """Give copies of a collection's records, oldest first."""
        with self.lock:
            return copy.deepcopy(list(self._records.get(collection, {}).values()))

    def remove_under(self, scope: str) -> None:
        """Remove the records whose keys are ids at or below a scope: what was said of something that is gone."""
        prefix = scope.rstrip("/").lower() + "/"
        with self.lock:
            for collection, records in list(self._records.items()):
                for key in [key for key in records if key.startswith(prefix)]:
                    self.remove(collection, key)

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._database.close()
