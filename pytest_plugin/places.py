"""The places of --vi-jobs: how many specs have machines at a time, and which spec gets the next place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_plugin.specs import Spec


class Places:
    """Gives ``jobs`` places to the specs in their planned order, however the threads of their builds happen to run.

    A spec that has not come so far as to want a place holds one free for itself; one that waits for its items does
    not. ``changed`` is notified whenever a place is taken or given back; it may be used for more.
    """

    def __init__(self, specs: Iterable[Spec], jobs: int) -> None:
        self.changed = threading.Condition()
        self._specs = tuple(specs)
        self._free = jobs
        self._ahead = set(self._specs)
        self._held: set[Spec] = set()

    def take(self, spec: Spec, stopping: threading.Event) -> bool:
        """Wait for the spec's place and tell whether it has one: it may not once ``stopping`` is set."""
        with self.changed:
            if spec in self._held:
                return True
            self._ahead.add(spec)
            while spec not in self._held and not stopping.is_set():
                if self._free > self._ahead_of(spec):
                    self._free -= 1
                    self._held.add(spec)
                    self._leave_queue(spec)
                else:
                    self.changed.wait()
            self._leave_queue(spec)
            return spec in self._held

    def stand_back(self, spec: Spec) -> None:
        """Let others pass: the spec wants no place now."""
        with self.changed:
            self._leave_queue(spec)

    def give_back(self, spec: Spec) -> None:
        """Give back the place that the spec has, if it has one: it wants none any more."""
        with self.changed:
            if spec in self._held:
                self._held.remove(spec)
                self._free += 1
            self._ahead.discard(spec)
            self.changed.notify_all()

    def _ahead_of(self, spec: Spec) -> int:
        return sum(one in self._ahead for one in self._specs[: self._specs.index(spec)])

    def _leave_queue(self, spec: Spec) -> None:
        if spec in self._ahead:
            self._ahead.remove(spec)
            self.changed.notify_all()
