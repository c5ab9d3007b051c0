"""Whatever way a test of a spec ends, wherever it runs: the exit code and JUnit tell it, and nothing is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count, product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.remains import find_wrongs
from tests.faults.sessions import TEMPLATE, TESTS, Sessions
from tests.faults.table import new_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

Azure = tuple["LocalCloud", "CloudConnection"]
AT_ONCE = 4
NUMBERS = count(30_000)
DIED = 9
PREAMBLE = """\
import os
import sys

import pytest

@pytest.fixture
def broken():
    raise ValueError("broken")

@pytest.fixture
def broken_later():
    yield
    raise ValueError("broken later")

"""


class Way(NamedTuple):
    """A way for a test to end: what it does, asks for and is marked with, and how the session ends then."""

    body: str = "pass"
    fixture: str = ""
    mark: str = ""
    code: int = int(pytest.ExitCode.TESTS_FAILED)
    told: str = "failure"


WAYS = {
    "fails": Way("assert 1 == 2"),
    "raises": Way("raise ValueError(1)"),
    "exits": Way("sys.exit(3)"),
    "fixture fails": Way(fixture="broken", told="error"),
    "fixture fails at its end": Way(fixture="broken_later", told="error"),
    "passes, which was not expected": Way(mark="@pytest.mark.xfail(strict=True)\n"),
    "fails, as was expected": Way("assert 1 == 2", mark="@pytest.mark.xfail\n", code=0, told="skipped"),
    "is skipped": Way("pytest.skip('not here')", code=0, told="skipped"),
    "ends the session": Way("pytest.exit('enough')", code=int(pytest.ExitCode.INTERRUPTED), told=""),
    "kills the session": Way(f"os._exit({DIED})", code=DIED, told=""),
}
PUBLISHED = "fails, as was expected"
PLACES = {"test_machine": "host", "test_image": "image", "test_instance": "instance, host"}


class Plan(NamedTuple):
    """Which test ends in which way."""

    test: str
    way: str

    def __str__(self) -> str:
        return f"{self.test} {self.way}"


class Cell(NamedTuple):
    """What became of a session: ``wrong`` is what must not be."""

    plan: Plan
    reaped: int
    wrong: tuple[str, ...]


def without_more(_wire: Connection) -> object:
    """Make a plugin that does nothing."""
    return object()


def run_cell(azure: Azure, folder: Path, plan: Plan) -> Cell:
    """Run a session in which one test ends in its way, look what it tells and leaves, and reap that."""
    number, way = next(NUMBERS), WAYS[plan.way]
    sessions = Sessions(folder / f"cell-{number}", azure[0], folder / "cache")
    asked = PLACES[plan.test]
    before = f"def {plan.test}({asked}):\n"
    assert before in TESTS
    after = f"{way.mark}def {plan.test}({', '.join(filter(None, (asked, way.fixture)))}):\n    {way.body}\n"
    sessions.add(f"cell-{number}", TEMPLATE.format(number=number), PREAMBLE + TESTS.replace(before, after))
    with sessions.begin(plugin=without_more) as session:
        code = session.wait()
    wrong = list(_untold(sessions, plan, code))
    left = sessions.runs
    wrong += [f"left by {run}" for run in left if code != DIED]
    for run in left:
        if sessions.reap("reap", "--run", run, "--state", str(sessions.cloud.state)):
            wrong.append(f"{run} could not be reaped: {sessions.output[-2000:]}")
    passed = plan.way == PUBLISHED
    wrong += find_wrongs(azure[1], ("vi-spec", f"cell-{number}"), number, passed=passed)
    if not passed and "published /" in sessions.output:
        wrong.append("it was published")
    if wrong:
        wrong.append(sessions.output[-4000:])
    return Cell(plan, len(left), tuple(wrong))


def _untold(sessions: Sessions, plan: Plan, code: int) -> Iterator[str]:
    """Say what the session did not tell."""
    way = WAYS[plan.way]
    if code != way.code:
        yield f"exit code {code} and not {way.code}"
    if code != DIED:
        outcomes = sessions.read_report()
        told = next((outcome for name, outcome in outcomes.items() if name.startswith(plan.test)), "")
        if way.told not in {told, ""}:
            yield f"JUnit tells {told!r} and not {way.told!r}"


def run_all(azure: Azure, folder: Path, plans: Sequence[Plan]) -> None:
    """Run every cell, several at once, count how they ended, and fail with what is wrong."""
    table = new_table("tests of a spec")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = list(pool.map(lambda plan: run_cell(azure, folder, plan), plans))
    for cell in cells:
        endings = ["survived" if cell.plan.way == PUBLISHED else "failed cleanly"]
        endings += ["reaped"] if cell.reaped else []
        endings += ["leaked"] if any(text.startswith("left") for text in cell.wrong) else []
        table.count(cell.plan.way, *endings)
    wrong = [f"{cell.plan}: {'; '.join(cell.wrong)}" for cell in cells if cell.wrong]
    assert not wrong, "\n\n".join(wrong)


def test_some_ways_at_each_place(azure: Azure, tmp_path: Path) -> None:
    run_all(azure, tmp_path, [Plan(test, way) for test, way in zip(PLACES, [*WAYS][3::3], strict=True)])


@pytest.mark.faults_full
@pytest.mark.timeout(6 * 3600)
def test_every_way_at_each_place(azure: Azure, tmp_path: Path) -> None:
    run_all(azure, tmp_path, [Plan(test, way) for test, way in product(PLACES, WAYS)])
