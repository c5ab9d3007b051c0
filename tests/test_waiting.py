"""A wait ends with what it waited for, or says what was there instead."""

from __future__ import annotations

import time

import pytest

from verified_images.errors import DeadlineError
from verified_images.waiting import Deadline, patient, pause, wait_for


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def deadline(self, what: str, seconds: float) -> Deadline:
        return Deadline(what, seconds, _started=self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


def test_the_first_result_that_is_not_none_is_returned(clock: Clock) -> None:
    results = iter([None, None, 0])
    assert wait_for(lambda _: next(results), clock.deadline("an answer", 60), every=5) == 0
    assert clock.slept == [5, 5]


def test_a_result_that_is_there_at_once_costs_no_sleep(clock: Clock) -> None:
    assert wait_for(lambda _: "up", clock.deadline("an answer", 60)) == "up"
    assert clock.slept == []


def test_a_time_out_tells_what_was_seen_last(clock: Clock) -> None:
    states = iter(["Creating", "Updating", "Updating", "Updating"])

    def condition(deadline: Deadline) -> None:
        deadline.saw(next(states))

    with pytest.raises(DeadlineError) as caught:
        wait_for(condition, clock.deadline("the virtual machine 'vi-vm' being ready", 10), every=4)
    assert (
        str(caught.value) == "the virtual machine 'vi-vm' being ready did not happen within 10 s; last seen: Updating"
    )
    assert (caught.value.seconds, caught.value.last_seen) == (10, "Updating")
    assert clock.slept == [4, 4, 2]


def test_the_condition_gets_a_last_chance_only_before_the_deadline(clock: Clock) -> None:
    calls = []

    def condition(deadline: Deadline) -> None:
        calls.append(deadline.elapsed)

    with pytest.raises(DeadlineError):
        wait_for(condition, clock.deadline("it", 3), every=1)
    assert calls == [0, 1, 2]
    assert clock.now == 1003


def test_an_error_of_the_condition_ends_the_wait(clock: Clock) -> None:
    def condition(_: Deadline) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        wait_for(condition, clock.deadline("it", 3))
    assert clock.slept == []


def test_what_remains_is_never_negative(clock: Clock) -> None:
    deadline = clock.deadline("it", 3)
    assert (deadline.elapsed, deadline.remaining) == (0, 3)
    deadline.check()
    clock.now += 5
    assert (deadline.elapsed, deadline.remaining) == (5, 0)
    with pytest.raises(DeadlineError, match=r"it did not happen within 3 s$"):
        deadline.check()


@pytest.mark.parametrize(
    ("every", "elapsed", "pause"), [(0.05, 0.1, 0.05), (0.05, 10, 0.5), (0.05, 600, 1.0), (5, 600, 5)]
)
def test_what_takes_long_is_looked_at_less_often(every: float, elapsed: float, pause: float) -> None:
    assert patient(every, elapsed) == pytest.approx(pause)


def test_a_pause_of_nothing_does_not_sleep(clock: Clock) -> None:
    pause(0)
    pause(-1)
    pause(2.5)
    assert clock.slept == [2.5]
