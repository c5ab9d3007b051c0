"""The gate: what has to have passed before an image is captured, and before it is published.

Outcomes come from pytest's own reports, so that reruns, subtests, expected failures and errors of fixtures count
as they do in pytest's exit code.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from pytest_plugin.schedule import stage_of
from pytest_plugin.stages import TESTED_AFTER, Stage
from verified_images.reports.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import pytest

NAMED_AT_MOST = 3


class Outcome(Enum):
    """How an item ended so far; the value says it in a sentence."""

    NOT_RUN = "did not run"
    PASSED = "passed"
    SKIPPED = "was skipped"
    FAILED = "failed"


class Outcomes:
    """How every item of a spec ended."""

    def __init__(self) -> None:
        self._current: dict[str, Outcome] = {}
        self._finished: dict[str, Outcome] = {}

    def record(self, report: pytest.TestReport) -> None:
        """Take one phase of an item's run; the item counts once its teardown is reported."""
        nodeid = report.nodeid
        if report.when == "setup":
            self._current[nodeid] = Outcome.PASSED
        if report.failed:
            self._current[nodeid] = Outcome.FAILED
        elif _did_not_run(report) and self._current.get(nodeid) is not Outcome.FAILED:
            self._current[nodeid] = Outcome.SKIPPED
        if report.when == "teardown" or report.failed:
            self._finished[nodeid] = self._current.get(nodeid, Outcome.PASSED)

    def of(self, item: pytest.Item) -> Outcome:
        """Tell how the item ended."""
        return self._finished.get(item.nodeid, Outcome.NOT_RUN)


def _did_not_run(report: pytest.TestReport) -> bool:
    """Tell whether the test was skipped. One that failed as expected ran, but not one marked xfail(run=False)."""
    return report.skipped and (not hasattr(report, "wasxfail") or report.when == "setup")


class Gate:
    """Gives the verdicts on one spec.

    ``selected`` are the spec's items that this run is to run, ``left_out`` says what of the spec's suite is not
    among them, and ``withheld`` why nothing is to be published whatever the tests say, if so. ``passed_before`` are
    the node ids of tests that passed on the very same image in an earlier run: they need not run again.
    """

    def __init__(  # noqa: PLR0913 - what a verdict depends on
        self,
        outcomes: Outcomes,
        selected: Sequence[pytest.Item],
        left_out: tuple[str, ...],
        withheld: str | None = None,
        *,
        allow_skips: bool = False,
        passed_before: Collection[str] = (),
    ) -> None:
        self._outcomes = outcomes
        self._selected = selected
        self._tests = [item for item in selected if stage_of(item) in TESTED_AFTER]
        self._left_out = left_out
        self._withheld = withheld
        self._passed_before = frozenset(passed_before)
        self._allowed = {Outcome.PASSED, Outcome.SKIPPED} if allow_skips else {Outcome.PASSED}

    def machine_verdict(self) -> Verdict:
        """Say whether the machine may be captured: no test of it failed, and none is still to come.

        A skipped test does not hold the image back here, it does when the image is to be published.
        """
        tests = [item for item in self._tests if stage_of(item) is Stage.MACHINE]
        return self._verdict(tests, {Outcome.PASSED, Outcome.SKIPPED})

    def verdict(self) -> Verdict:
        """Say whether the image may be published: the whole suite of the spec ran, and passed."""
        reasons = (*((self._withheld,) if self._withheld else ()), *self._left_out)
        verdict = self._verdict(self._tests, self._allowed, reasons)
        if verdict.passed and not verdict.tests:
            return Verdict(passed=False, reasons=("no test of the spec ran",))
        return verdict

    @property
    def passed(self) -> tuple[pytest.Item, ...]:
        """The tests that have passed so far, in this run or in the one that it goes on with."""
        return tuple(item for item in self._tests if self._outcome_of(item) is Outcome.PASSED)

    @property
    def has_failures(self) -> bool:
        """Whether a test or a stage has failed so far."""
        return any(self._outcomes.of(item) is Outcome.FAILED for item in self._selected)

    def _outcome_of(self, item: pytest.Item) -> Outcome:
        outcome = self._outcomes.of(item)
        was_left = outcome in {Outcome.SKIPPED, Outcome.NOT_RUN} and item.nodeid in self._passed_before
        return Outcome.PASSED if was_left else outcome

    @property
    def was_tried(self) -> bool:
        """Whether anything of the spec has run."""
        return any(self._outcomes.of(item) is not Outcome.NOT_RUN for item in self._selected)

    def _verdict(self, tests: Iterable[pytest.Item], allowed: set[Outcome], reasons: tuple[str, ...] = ()) -> Verdict:
        ended = [(item, self._outcome_of(item)) for item in tests]
        closing = [(item, outcome) for item, outcome in ended if outcome not in allowed]
        reasons = (*reasons, *_name_closing(closing))
        passed = sum(outcome is Outcome.PASSED for _, outcome in ended)
        return Verdict(passed=not reasons, reasons=reasons, tests=passed)


def _name_closing(closing: Sequence[tuple[pytest.Item, Outcome]]) -> tuple[str, ...]:
    """Name the tests that keep a gate closed, and how they ended."""
    by_outcome: dict[Outcome, list[str]] = {}
    for item, outcome in closing:
        by_outcome.setdefault(outcome, []).append(item.nodeid)
    # What failed is the cause; what was skipped may well have been skipped for it.
    failed = by_outcome.get(Outcome.FAILED)
    told = {Outcome.FAILED: failed} if failed else by_outcome
    return tuple(_say(outcome, nodeids) for outcome, nodeids in told.items())


def _say(outcome: Outcome, nodeids: Sequence[str]) -> str:
    if len(nodeids) == 1:
        return f"{nodeids[0]} {outcome.value}"
    more = f" and {len(nodeids) - NAMED_AT_MOST} more" if len(nodeids) > NAMED_AT_MOST else ""
    ended = outcome.value.replace("was ", "were ")
    return f"{len(nodeids)} tests {ended}: {', '.join(nodeids[:NAMED_AT_MOST])}{more}"
