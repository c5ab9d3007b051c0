"""One operation at a time on each resource, in the order in which they were asked for."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Turns:
    """The queues of all resources, by key."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.queues: dict[str, deque[Turn]] = {}

    def ask(self, key: str) -> Turn:
        """Queue up for a resource; the turn is to be entered, whatever happens, since others wait behind it."""
        turn = Turn(self, key)
        with self.changed:
            self.queues.setdefault(key, deque()).append(turn)
        return turn

    def is_busy(self, key: str) -> bool:
        """Tell whether something is being done on a resource."""
        with self.changed:
            return key in self.queues


class Turn:
    """A place in a resource's queue. Entering it waits until those before it are done; it is not re-entrant."""

    def __init__(self, turns: Turns, key: str) -> None:
        self._turns = turns
        self._key = key

    @property
    def has_come(self) -> bool:
        """Whether entering would not wait."""
        with self._turns.changed:
            return self._turns.queues[self._key][0] is self

    def __enter__(self) -> Self:
        with self._turns.changed:
            self._turns.changed.wait_for(lambda: self._turns.queues[self._key][0] is self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._turns.changed:
            queue = self._turns.queues[self._key]
            queue.popleft()
            if not queue:
                del self._turns.queues[self._key]
            self._turns.changed.notify_all()
