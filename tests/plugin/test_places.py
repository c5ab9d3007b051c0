"""Who gets the next place: the planned order says it, not the threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pytest_plugin.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Any = ("one", "two", "three", "four")


class Queue:
    """Specs that wait for places, each in a thread of its own; ``got`` has those that have one, in order."""

    def __init__(self, jobs: int) -> None:
        self.places = Places(NAMES, jobs)
        self.stopping = threading.Event()
        self.got: list[str] = []

    def take(self, *names: Any) -> None:  # noqa: ANN401 - names stand for specs
        for name in names:
            threading.Thread(target=self._take, args=(name,), daemon=True).start()

    def _take(self, name: Any) -> None:  # noqa: ANN401 - a name stands for a spec
        if self.places.take(name, self.stopping):
            with self.places.changed:
                self.got.append(name)
                self.places.changed.notify_all()

    def await_got(self, *names: str) -> None:
        with self.places.changed:
            assert self.places.changed.wait_for(lambda: self.got == list(names), 30), self.got


def released_in_turn(queue: Queue) -> Iterator[str]:
    for place in range(1, len(NAMES) + 1):
        with queue.places.changed:
            assert queue.places.changed.wait_for(lambda: len(queue.got) == place, 30), queue.got  # noqa: B023
        yield queue.got[-1]
        queue.places.give_back(NAMES[NAMES.index(queue.got[-1])])


def test_places_are_given_in_the_planned_order_whoever_asks_first() -> None:
    queue = Queue(jobs=1)
    queue.take(*reversed(NAMES))
    assert list(released_in_turn(queue)) == list(NAMES)


def test_with_places_for_all_nobody_waits_for_those_before() -> None:
    queue = Queue(jobs=4)
    queue.take("four")
    queue.await_got("four")


def test_who_wants_no_place_lets_others_pass() -> None:
    queue = Queue(jobs=1)
    queue.take("three")
    queue.places.stand_back(NAMES[0])
    queue.places.give_back(NAMES[1])
    queue.await_got("three")


def test_who_has_a_place_keeps_it_until_it_is_given_back() -> None:
    queue = Queue(jobs=1)
    assert queue.places.take(NAMES[0], queue.stopping)
    assert queue.places.take(NAMES[0], queue.stopping)
    queue.take("two")
    queue.places.give_back(NAMES[0])
    queue.await_got("two")


def test_nobody_gets_a_place_once_the_session_stops() -> None:
    places = Places(NAMES, 0)
    stopping = threading.Event()
    stopping.set()
    assert not places.take(NAMES[0], stopping)
