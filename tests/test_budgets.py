"""A budget ends whatever is waited for within it, and says what was seen last."""

from __future__ import annotations

import threading
import time

import pytest

from verified_images.errors import DeadlineError, StallError
from verified_images.stages.together import begin_together, settle
from verified_images.waiting import Budget, Deadline, note_progress, pause, wait_for, within


def test_a_wait_ends_with_the_budget_however_long_its_own_deadline_is() -> None:
    def look(deadline: Deadline) -> None:
        deadline.saw("Creating")

    with (
        within(Budget("provision", 0.05)),
        pytest.raises(
            DeadlineError, match=r"^the end of provision did not happen within 0 s; last seen: a machine: Creating$"
        ),
    ):
        wait_for(look, Deadline("a machine", 3600), every=0.01)


def test_without_progress_the_work_has_stalled() -> None:
    with within(Budget("deploy", 3600, stall=0.05)):
        note_progress("an instance boots")
        with pytest.raises(StallError, match=r"^deploy made no progress for 0 s; last seen: an instance boots$"):
            wait_for(lambda _: None, Deadline("it", 3600), every=0.01)


def test_progress_puts_the_stall_off() -> None:
    states = iter(range(100))

    def look(deadline: Deadline) -> bool | None:
        deadline.saw(str(state := next(states)))
        return state == 20 or None

    with within(Budget("deploy", None, stall=0.2)):
        assert wait_for(look, Deadline("it", 3600), every=0.02)


def test_a_pause_that_was_asked_for_is_no_stall() -> None:
    with within(Budget("provision", None, stall=0.01)) as budget:
        pause(0)
        budget.stall = 2
        pause(0.05)


def test_threads_share_the_budget_of_who_began_them() -> None:
    release = threading.Event()
    started = time.monotonic()
    with within(Budget("preflight", 0.05)), pytest.raises(DeadlineError, match="the end of preflight"):
        settle(begin_together([release.wait]))
    release.set()
    assert time.monotonic() - started < 5
