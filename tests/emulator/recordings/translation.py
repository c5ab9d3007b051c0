"""What Azure made up when the recording was made, and what the local Azure made up in its place.

A recording's later requests carry values of earlier answers: ids of instances, names of disks, etags. Each pair of
answers teaches which of ours stands for which of theirs.
"""

from __future__ import annotations

import re
from typing import Any

from tests.emulator.recordings.exchanges import MANAGEMENT

_SUBSCRIPTION = re.compile(r"(?<=/subscriptions/)[^/?'\"\s]+", re.IGNORECASE)
_MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|_[0-9a-f]{7,}|^W/", re.IGNORECASE)


class Translation:
    """From the recording's values to those of a local Azure at ``endpoint``."""

    def __init__(self, endpoint: str, subscription: str) -> None:
        self._endpoint = endpoint
        self._subscription = subscription
        self._learned: dict[str, str] = {}
        self._instances: dict[str, str] = {}
        self._next_links: dict[str, str | None] = {}

    def url(self, recorded: str) -> str | None:
        """Translate a URL; None for the next page of a list that is shorter here."""
        if recorded in self._next_links:
            return self._next_links[recorded]
        path, mark, query = recorded.partition("?")
        return self.text(self._segments(path)) + mark + _SUBSCRIPTION.sub(self._subscription, query)

    def text(self, recorded: str) -> str:
        """Translate a string: as a whole, or the subscription, the host and the made-up names of an id in it."""
        if known := self._learned.get(recorded.lower()):
            return known
        if recorded.lower().startswith("/subscriptions/"):
            recorded = self._segments(recorded)
        return _SUBSCRIPTION.sub(self._subscription, MANAGEMENT.sub(self._endpoint, recorded))

    def value(self, recorded: Any, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
        """Translate a JSON value; ``key`` is the property that it stands under."""
        if isinstance(recorded, dict):
            return {self.text(name): self.value(item, name) for name, item in recorded.items()}
        if isinstance(recorded, list):
            return [self.value(item, key) for item in recorded]
        if isinstance(recorded, str):
            return self._instances.get(recorded, recorded) if key == "instanceIds" else self.text(recorded)
        return recorded

    def learn(self, recorded: Any, live: Any) -> None:  # noqa: ANN401 - any JSON values
        """Take from two answers which made-up values stand for each other."""
        if isinstance(recorded, dict) and isinstance(live, dict):
            if isinstance(link := recorded.get("nextLink"), str):
                self._next_links[link] = live.get("nextLink")
            for name in recorded.keys() & live.keys():
                if name == "instanceId" and isinstance(recorded[name], str):
                    self._instances[recorded[name]] = str(live[name])
                self.learn(recorded[name], live[name])
        elif isinstance(recorded, list) and isinstance(live, list):
            for theirs, ours in _pair(recorded, live):
                self.learn(theirs, ours)
        elif isinstance(recorded, str) and isinstance(live, str) and recorded != live:
            self._learn_text(recorded, live)

    def _learn_text(self, recorded: str, live: str) -> None:
        theirs, ours = recorded.split("/"), live.split("/")
        if recorded.startswith("/subscriptions/") and len(theirs) == len(ours):
            for before, one, other in zip(theirs[-2::-1], theirs[:2:-1], ours[:2:-1], strict=False):
                if before.lower() == "virtualmachines" and one.isdigit():
                    self._instances[one] = other
                elif _MADE_UP.search(one):
                    self._learned[one.lower()] = other
        elif _MADE_UP.search(recorded):
            self._learned[recorded.lower()] = live

    def _segments(self, path: str) -> str:
        segments = path.split("/")
        for index, segment in enumerate(segments):
            if index and segments[index - 1].lower() == "virtualmachines" and segment in self._instances:
                segments[index] = self._instances[segment]
            else:
                segments[index] = self._learned.get(segment.lower(), segment)
        return "/".join(segments)


def _pair(recorded: list[Any], live: list[Any]) -> list[tuple[Any, Any]]:
    """Pair the items of two lists: those of the same name, then the rest in order."""
    if not all(isinstance(item, dict) and "name" in item for item in (*recorded, *live)):
        return list(zip(recorded, live, strict=False))
    theirs, ours = ({str(item["name"]).lower(): item for item in items} for items in (recorded, live))
    pairs = [(item, ours[name]) for name, item in theirs.items() if name in ours]
    rest = [item for name, item in theirs.items() if name not in ours]
    live_rest = [item for name, item in ours.items() if name not in theirs]
    return [*pairs, *zip(rest, live_rest, strict=False)]
