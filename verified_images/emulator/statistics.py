"""What clients have asked of the local Azure, and whether they waited between polls as they were told."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEEWAY = 0.1
_KEY = re.compile(r"[^/?]+(?=/?(?:\?|$))")


class Statistics:
    """Counts of calls by operation and status, and of polls; an early poll is counted, never punished."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._calls: Counter[str] = Counter()
            self._statuses: Counter[str] = Counter()
            self._early: Counter[str] = Counter()
            self._polled: set[str] = set()
            self._polls = self._early_first = 0

    def note_call(self, path: str, operation: str) -> None:
        """Count a call that arrives, and whether it polls something earlier than it was told to."""
        now, key = time.monotonic(), _key_in(path)
        with self._lock:
            self._calls[operation] += 1
            due = self._due.pop(key, None)
            if due is None:
                return
            self._polls += 1
            if now < due - _LEEWAY:
                self._early[operation] += 1
                self._early_first += key not in self._polled
            self._polled.add(key)

    def note_answer(self, path: str, status: int, headers: Mapping[str, str]) -> None:
        """Count an answer, and remember when it lets the client come again."""
        with self._lock:
            self._statuses[str(status)] += 1
            wait = headers.get("Retry-After", "")
            if not wait.isdigit():
                return
            for url in (headers.get("Azure-AsyncOperation"), headers.get("Location"), path):
                if url:
                    self._due[_key_in(url)] = time.monotonic() + int(wait)

    def describe(self) -> dict[str, Any]:
        """Give the counts; ``early_first`` of the early polls were the first of their operation, which SDKs do."""
        with self._lock:
            return {
                "calls": dict(sorted(self._calls.items())),
                "statuses": dict(sorted(self._statuses.items())),
                "polls": {
                    "told_to_wait": self._polls,
                    "early": sum(self._early.values()),
                    "early_first": self._early_first,
                    "early_by_operation": dict(sorted(self._early.items())),
                },
            }


def _key_in(url: str) -> str:
    match = _KEY.search(url)
    return match[0].lower() if match else ""
