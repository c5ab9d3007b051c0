"""The session: owns the builds of all specs, tells them how tests ended, and cleans up whatever happens."""

from __future__ import annotations

import functools
from concurrent.futures import wait
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.ahead import Ahead
from pytest_plugin.cloud import cloud_key, open_cloud
from pytest_plugin.course import Course, plot_course
from pytest_plugin.doing import Doing
from pytest_plugin.gate import Gate, Outcomes
from pytest_plugin.interrupts import TermAsInterrupt
from pytest_plugin.progress import Progress, TerminalLive
from pytest_plugin.run import SpecRun
from pytest_plugin.showing import Showing
from pytest_plugin.specs import spec_of, specs_of
from pytest_plugin.summary import Summary, fail_session, pass_unchanged, summarize
from pytest_plugin.templates import explain
from pytest_plugin.terminal import Terminal
from pytest_plugin.worker import refusing, share_places

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from pytest_plugin.collection import Collection
    from pytest_plugin.inventory import Inventory
    from pytest_plugin.options import Settings
    from pytest_plugin.specs import Spec

WORKER_OUTPUT = "verified_images_summaries"
"""The key under which an xdist worker sends what became of its specs."""

_CALLED_OFF_WITHIN = 60.0
"""Seconds that stages may take to end once they are called off; clean-up begins then all the same."""

_LOOK_SECONDS = 0.2

session_key = pytest.StashKey["SpecSession"]()


class SpecSession:
    """Everything of one pytest session that builds images; there is none in a session without specs."""

    def __init__(self, config: pytest.Config, settings: Settings, inventory: Inventory, collection: Collection) -> None:
        self.config = config
        self.settings = settings
        self.outcomes = Outcomes()
        self.runs: dict[Spec, SpecRun] = {}
        self._inventory = inventory
        self._collection = collection
        terminal = Terminal(config.pluginmanager.get_plugin("terminalreporter"))
        self._live = TerminalLive(config, terminal)
        self._showing = Showing(config, terminal, self.doing, self._live.announce)
        config.pluginmanager.register(self._showing)
        self._term = TermAsInterrupt()
        self._ahead: Ahead | None = None
        self._queueing: Callable[[], Sequence[str]] = tuple
        place = share_places(self)
        if place is not None:
            self._queueing = place.queueing
            config.pluginmanager.register(place)

    def run_of(self, node: pytest.Item | pytest.Collector) -> SpecRun | None:
        """Give the build of the spec that a node belongs to; None for one outside specs."""
        spec = spec_of(node)
        return None if spec is None else self.runs.get(spec)

    def summaries(self) -> list[Summary]:
        """Say what became of each spec that something of was run."""
        done = [summarize(run) for run in self.runs.values() if run.gate.was_tried or run.results]
        reason = f"since {self.settings.changed_since}"
        return [*done, *(Summary(spec.name, "", unchanged=reason) for spec in self._collection.unchanged)]

    def doing(self) -> list[Doing]:
        """Say what is being done for each spec, and which ones wait for their turn."""
        busy = [doing for run in self.runs.values() if (doing := run.task.now()) is not None]
        return [*busy, *map(Doing, self._queueing())]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prepare a build for each spec that something was selected of; nothing is created."""
        selected: dict[Spec, list[pytest.Item]] = {}
        for item in session.items:
            for spec in specs_of(item):
                if spec.error is None:
                    selected.setdefault(spec, []).append(item)
        with refusing(self.config, session.items):
            for spec, items in selected.items():
                self.runs[spec] = self._prepare(spec, items)

    def _prepare(self, spec: Spec, items: list[pytest.Item]) -> SpecRun:
        from verified_images.naming import new_run  # noqa: PLC0415 - only runs with specs

        if cloud_key not in self.config.stash:
            self.config.stash[cloud_key] = open_cloud(self.config, self.settings)
        # Journals are looked at only where something will be run: --collect-only needs none.
        left_out = self._inventory.left_out(spec, items)
        only_collects = self.config.getoption("collectonly")
        publishes = self.settings.publish and not left_out
        course = Course() if only_collects else plot_course(spec, self.settings, publishes=publishes)
        gate = Gate(
            self.outcomes,
            items,
            left_out,
            None if self.settings.publish else "--vi-no-publish was given",
            allow_skips=self.settings.allow_skips,
            passed_before=_still_passed(items, course.tested),
        )
        return SpecRun(
            spec=spec,
            run=course.record.run if course.record else new_run(spec.name),
            cloud=self.config.stash[cloud_key],
            gate=gate,
            progress=Progress(spec.name, self._live),
            course=course,
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell the gates how an item ended."""
        self.outcomes.record(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let SIGTERM end the session as Ctrl-C does."""
        if not session.config.getoption("collectonly"):
            self._term.install()
        return (yield)

    def work_ahead(self, items: Sequence[pytest.Item]) -> Ahead:
        """Give what does stages in threads, to be started; the end of the session ends it."""
        self.config.stash[cloud_key].load()
        self._ahead = Ahead(self.runs, items, self.settings.jobs)
        self._queueing = self._ahead.queueing
        self._live.hold_back()
        return self._ahead

    def tell(self) -> None:
        """Show what builds have told meanwhile."""
        self._live.pass_on()

    # The innermost wrapper: after fixtures that use a machine are torn down, even if somebody's hook raised, and
    # before the terminal's summary.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Clean up what no cleanup item has, and let the exit code tell of what is left."""
        try:
            return (yield)
        finally:
            self._finish(session)

    def _finish(self, session: pytest.Session) -> None:
        try:
            self._stop_working_ahead()
            self._clean_up([run for run in self.runs.values() if run.needs_cleanup])
        finally:
            self._showing.end()
            if cloud_key in self.config.stash:
                self.config.stash[cloud_key].close()
            self._term.restore()
        if any(run.left or run.trouble for run in self.runs.values()):
            fail_session(session)
        elif self._collection.unchanged:
            pass_unchanged(session)
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[WORKER_OUTPUT] = [summary.as_plain() for summary in self.summaries()]

    def _stop_working_ahead(self) -> None:
        if self._ahead is None:
            return
        for name, stage, seconds in self._ahead.working():
            self._live.announce(name, f"calling off {stage}, which was being done for {seconds:.0f} s")
        try:
            left = self._seconds_left()
            self._ahead.stop(_CALLED_OFF_WITHIN if left is None else min(_CALLED_OFF_WITHIN, left / 2))
        except KeyboardInterrupt:
            for run in self.runs.values():
                run.give_up()
        self._live.pass_on()

    def _clean_up(self, runs: Sequence[SpecRun]) -> None:
        """Clean up all at once; a second Ctrl-C leaves what is not done yet, and has it named."""
        for run in runs:
            self._live.reveal()
            self._live.step(run.spec.name, f"cleaning up run {run.run.id}")
        left = self._seconds_left()
        if left == 0:
            for run in runs:
                run.give_up("there was no time left for the clean-up (--vi-cleanup-timeout)")
            return
        try:
            self._clean_up_together(runs, left)
        except KeyboardInterrupt:
            for run in runs:
                run.give_up()

    def _clean_up_together(self, runs: Sequence[SpecRun], seconds: float | None) -> None:
        def clean_up(run: SpecRun) -> None:
            try:
                run.clean_up(seconds)
            except Exception as error:  # noqa: BLE001 - the other specs are to be cleaned up all the same
                run.trouble = explain(error)

        if len(runs) == 1:
            clean_up(runs[0])  # in this thread, where Ctrl-C ends it
        elif runs:
            from verified_images.stages.together import begin_together  # noqa: PLC0415 - only runs that build

            self._live.hold_back()
            futures = begin_together([functools.partial(clean_up, run) for run in runs])
            while wait(futures, timeout=_LOOK_SECONDS).not_done:
                self._live.pass_on()
            self._live.pass_on()

    def _seconds_left(self) -> float | None:
        """Say how long the clean-up of an interrupted session may still take; None: as long as that of any other."""
        limit, passed = self.settings.cleanup_timeout, self._term.seconds_since
        return None if limit is None or passed is None else max(0.0, limit.total_seconds() - passed)


def _still_passed(items: Iterable[pytest.Item], tested: Mapping[str, str]) -> tuple[str, ...]:
    """Give the tests that passed in an earlier run and have not changed since."""
    if not tested:
        return ()
    from pytest_plugin.fingerprints import test_digest  # noqa: PLC0415 - only runs that go on with an earlier one

    return tuple(item.nodeid for item in items if tested.get(item.nodeid) == test_digest(item))
