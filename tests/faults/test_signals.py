"""Whatever signal comes at whatever moment of a session: nothing is left, or what is left is named and reaped."""

from __future__ import annotations

import re
import shlex
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, cycle, product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_plugin.interrupts import SAME_SECONDS
from tests.faults.moments import Moment, Waits
from tests.faults.remains import find_wrongs
from tests.faults.sessions import TEMPLATE, Sessions
from tests.faults.table import new_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.sessions import Session
    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

Azure = tuple["LocalCloud", "CloudConnection"]
AT_ONCE = 4
NUMBERS = count(10_000)
SIGNALS = {
    "SIGINT": (signal.SIGINT,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGKILL": (signal.SIGKILL,),
    "SIGINT twice": (signal.SIGINT, signal.SIGINT),
}
REMOVED_BY = re.compile(r"LEFT BEHIND by run \w+; `verified-images (.*)` removes it:")
INTERRUPTED = int(pytest.ExitCode.INTERRUPTED)


class Plan(NamedTuple):
    """What shall happen: which signals at which moment of a session with how many specs."""

    name: str
    moment: Moment
    specs: int = 1

    def __str__(self) -> str:
        return f"{self.name} at {self.moment} of {self.specs} spec(s)"


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of a session: ``wrong`` is what must not be."""

    plan: Plan
    struck: bool
    reaped: int
    wrong: tuple[str, ...]


@pytest.fixture(scope="module")
def moments(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> tuple[Moment, ...]:
    """Every moment of a session at which it has just changed something."""
    numbers = [next(NUMBERS)]
    sessions = prepare(azure, tmp_path_factory.mktemp("discovery"), numbers)
    with sessions.begin(plugin=Waits(())) as session:
        counts = session.receive()
        assert session.wait() == 0, sessions.output
    assert list(find_wrongs(azure[1], ("vi-spec", f"cell-{numbers[0]}"), numbers[0], passed=True)) == []
    return tuple(Moment(stage, number) for stage, calls in counts.items() for number in range(1, calls + 1))


def prepare(azure: Azure, folder: Path, numbers: Sequence[int]) -> Sessions:
    cloud = azure[0]
    sessions = Sessions(folder, cloud, folder.parent / "cache")
    for number in numbers:
        sessions.add(f"cell-{number}", TEMPLATE.format(number=number))
    return sessions


def run_cell(azure: Azure, folder: Path, plan: Plan) -> Cell:
    """Run a session that a signal comes to, look what it tells and leaves, and reap that."""
    numbers = [next(NUMBERS) for _ in range(plan.specs)]
    sessions = prepare(azure, folder / f"cell-{numbers[0]}", numbers)
    signals = SIGNALS[plan.name]
    second = Moment("cleanup", plan.moment.number + 1 if plan.moment.stage == "cleanup" else 1)
    with sessions.begin(plugin=Waits((plan.moment, second)[: len(signals)])) as session:
        struck = strike(session, signals)
        code = session.wait()
    wrong = [*_untold(sessions, plan, code)]
    commands = _commands_to_reap(sessions, plan)
    refused = [command for command in commands if sessions.reap(*command)]
    wrong += [f"{shlex.join(command)} failed: {sessions.output[-2000:]}" for command in refused]
    if sessions.runs:
        wrong.append(f"left in the journals: {sessions.runs}")
    for number in numbers:
        wrong += find_wrongs(azure[1], ("vi-spec", f"cell-{number}"), number, passed=False)
    return Cell(plan, struck, len(commands), tuple(wrong))


def strike(session: Session, signals: Sequence[int]) -> bool:
    """Send the signals, each when the session is where it is to come; tell whether it got there every time."""
    for place, number in enumerate(signals, 1):
        try:
            session.receive()
        except (EOFError, AssertionError):
            return False
        if place > 1:
            time.sleep(2 * SAME_SECONDS)  # what comes sooner counts as the same signal
        session.send_signal(number)
        with suppress(BrokenPipeError):
            session.wire.send(place)
    return True


def _untold(sessions: Sessions, plan: Plan, code: int) -> Iterator[str]:
    """Say what the session did not tell, or told in a way that it should not."""
    killed = plan.name == "SIGKILL"
    if code != (-signal.SIGKILL if killed else INTERRUPTED):
        yield f"exit code {code}"
    if not killed:
        sessions.read_report()
    for word in ("Traceback (most recent call last)", "INTERNALERROR"):
        if word in sessions.output:
            yield f"{word}: {sessions.output[-4000:]}"


def _commands_to_reap(sessions: Sessions, plan: Plan) -> list[list[str]]:
    if plan.name == "SIGKILL":
        return [["reap", "--run", run, "--state", str(sessions.cloud.state)] for run in sessions.runs]
    found = [shlex.split(command) for command in REMOVED_BY.findall(sessions.output)]
    return found if plan.name == "SIGINT twice" else []


def run_all(azure: Azure, folder: Path, plans: Sequence[Plan]) -> None:
    """Run every cell, several at once, count how they ended, and fail with what is wrong."""
    table = new_table("signals")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = list(pool.map(lambda plan: run_cell(azure, folder, plan), plans))
    for cell in cells:
        endings = ["failed cleanly", *(["reaped"] if cell.reaped else [])]
        table.count(cell.plan.name, *endings, *(["leaked"] if any("left" in text for text in cell.wrong) else []))
    wrong = [f"{cell.plan}: {'; '.join(cell.wrong)}" for cell in cells if cell.wrong]
    wrong += [f"{cell.plan} did not come" for cell in cells if not cell.struck]
    assert not wrong, "\n".join(wrong)


def test_a_signal_in_each_stage(azure: Azure, moments: tuple[Moment, ...], tmp_path: Path) -> None:
    stages = {moment.stage: moment for moment in moments if moment.number == 1}
    assert len(stages) == 9
    middle = [Moment(stage, (sum(moment.stage == stage for moment in moments) + 1) // 2) for stage in stages]
    # Each signal comes to two stages at least, and each of those that CI sends to a session with two specs.
    specs = dict.fromkeys((1, 4), 2)
    plans = [
        Plan(name, moment, specs.get(place, 1)) for place, (name, moment) in enumerate(zip(cycle(SIGNALS), middle))
    ]
    run_all(azure, tmp_path, plans)


def test_a_clean_up_that_takes_too_long_names_what_is_left(azure: Azure, tmp_path: Path) -> None:
    cloud, connection = azure
    number = next(NUMBERS)
    sessions = prepare(azure, tmp_path / "cell", [number])
    busy = cloud.faults.add(
        fault="refused", status=409, code="Busy", times="always", method="DELETE", resource=f"vi-cell-{number}-*"
    )
    with sessions.begin("--vi-cleanup-timeout=5s", plugin=Waits((Moment("machine"),))) as session:
        assert strike(session, SIGNALS["SIGTERM"])
        assert session.wait() == INTERRUPTED
    cloud.faults.remove(busy)

    [command] = REMOVED_BY.findall(sessions.output)
    assert "the end of cleanup did not happen within" in sessions.output
    assert sessions.reap(*shlex.split(command)) == 0
    assert list(find_wrongs(connection, ("vi-spec", f"cell-{number}"), number, passed=False)) == []


@pytest.mark.faults_full
@pytest.mark.timeout(6 * 3600)
def test_every_signal_at_every_moment(azure: Azure, moments: tuple[Moment, ...], tmp_path: Path) -> None:
    plans = [Plan(name, moment, specs) for name, moment, specs in product(SIGNALS, moments, (1, 2))]
    run_all(azure, tmp_path, [plan for plan in plans if _has_sense(plan)])


def _has_sense(plan: Plan) -> bool:
    """Tell whether a second signal is sure to come while something is cleaned up."""
    return plan.name != "SIGINT twice" or (plan.specs == 1 and plan.moment.stage not in {"preflight", "cleanup"})
