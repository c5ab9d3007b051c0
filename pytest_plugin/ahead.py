"""Stages that are done ahead of their items: every spec's build goes on in a thread of its own.

So the session takes as long as its slowest spec, not as all together: pytest runs one item at a time, and a stage is
mostly waiting. What may be done ahead follows from the items that are still to come: the stages before a spec's next
test, and no more, since whether an image is captured or published depends on how its tests end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from pytest_plugin.places import Places
from pytest_plugin.schedule import stage_of
from pytest_plugin.specs import spec_of
from pytest_plugin.stages import BUILD_STAGES, TESTED_AFTER, WITHOUT_MACHINES, Stage
from verified_images.waiting import until_called_off

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_plugin.run import SpecRun
    from pytest_plugin.schedule import Visit
    from pytest_plugin.specs import Spec

_LOOK_SECONDS = 0.2
_JUDGED_LAST = (Stage.PUBLISH, Stage.CLEANUP)


class Ahead:
    """Does the stages of several specs at once; of ``jobs`` specs at most there are machines at a time."""

    def __init__(self, runs: Mapping[Spec, SpecRun], items: Iterable[pytest.Item], jobs: int) -> None:
        self._runs = runs
        self._places = Places(runs, jobs)
        self._changed = self._places.changed
        self._stopping = threading.Event()
        self._called_off = {spec: threading.Event() for spec in runs}
        self._coming: dict[Spec, deque[pytest.Item]] = {spec: deque() for spec in runs}
        self._working: dict[Spec, tuple[Stage, float]] = {}
        self._queueing: dict[Spec, None] = {}
        for item in items:
            spec = spec_of(item)
            if spec in self._coming:
                self._coming[spec].append(item)
        self._threads = {
            spec: threading.Thread(target=self._work, args=(spec,), name=f"build of {spec.name}", daemon=True)
            for spec in runs
        }

    def start(self) -> None:
        """Begin every build."""
        for thread in self._threads.values():
            thread.start()

    def is_ready(self, visit: Visit) -> bool:
        """Tell whether the items of a visit can run without waiting for a stage."""
        run = self._runs.get(visit.spec) if visit.spec else None
        if run is None or visit.stage is None or not self._threads[run.spec].is_alive():
            return True
        needed = TESTED_AFTER.get(visit.stage, visit.stage)
        if needed in run.results:
            return True
        return needed not in _JUDGED_LAST and _is_stuck(run, needed)

    def wait(self, seconds: float) -> None:
        """Wait until a stage has ended, ``seconds`` at most."""
        with self._changed:
            self._changed.wait(seconds)

    def finished(self, item: pytest.Item) -> None:
        """Take note that an item has been reported, which may be what a stage was waiting for."""
        spec = spec_of(item)
        with self._changed:
            if spec in self._coming and item in self._coming[spec]:
                self._coming[spec].remove(item)
                self._changed.notify_all()

    def working(self) -> Sequence[tuple[str, Stage, float]]:
        """Say which specs have which stage being done, and for how many seconds; clean-ups are left out."""
        now = time.monotonic()
        with self._changed:
            working = [(spec.name, stage, now - since) for spec, (stage, since) in self._working.items()]
        return [one for one in working if one[1] is not Stage.CLEANUP]

    def queueing(self) -> Sequence[str]:
        """Say which specs wait until fewer others have machines."""
        return [spec.name for spec in list(self._queueing)]

    def stop(self, patience: float) -> None:
        """Call off what is being done, and return once it has ended, or after ``patience`` seconds.

        A clean-up that has begun is not called off but waited for.
        """
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            busy = [spec for spec, (stage, _) in self._working.items() if stage is not Stage.CLEANUP]
        for spec in busy:
            self._called_off[spec].set()
            self._runs[spec].disconnect()
        until = time.monotonic() + patience
        for spec, thread in self._threads.items():
            while thread.is_alive() and (spec not in busy or time.monotonic() < until):
                thread.join(_LOOK_SECONDS)

    def _work(self, spec: Spec) -> None:
        try:
            with until_called_off(self._called_off[spec]):
                while (stage := self._await_stage(spec)) is not None:
                    if stage not in WITHOUT_MACHINES and not self._take_place(spec):
                        continue
                    self._do(spec, stage)
                    if stage is Stage.CLEANUP:
                        self._places.give_back(spec)
        finally:
            self._places.give_back(spec)

    def _await_stage(self, spec: Spec) -> Stage | None:
        """Wait for a stage that can be done, and give it; None: there will be none."""
        with self._changed:
            while self._coming[spec] and not self._stopping.is_set():
                stage = next_stage(self._runs[spec], self._coming[spec])
                if stage is not None:
                    return stage
                self._places.stand_back(spec)
                self._changed.wait()
        return None

    def _take_place(self, spec: Spec) -> bool:
        self._queueing[spec] = None
        try:
            return self._places.take(spec, self._stopping)
        finally:
            del self._queueing[spec]

    def _do(self, spec: Spec, stage: Stage) -> None:
        with self._changed:
            if self._stopping.is_set() and stage is not Stage.CLEANUP:
                return
            self._working[spec] = (stage, time.monotonic())
        try:
            self._runs[spec].advance(stage)
        finally:
            with self._changed:
                del self._working[spec]
                self._changed.notify_all()


def next_stage(run: SpecRun, coming: Iterable[pytest.Item]) -> Stage | None:
    """Give the stage that can be done for the items to come, or None: an item has to run first, or nothing is left."""
    for place, item in enumerate(coming):
        stage = stage_of(item)
        if stage is None:
            continue
        if stage in _JUDGED_LAST:
            return stage if place == 0 and stage not in run.results else None
        needed = TESTED_AFTER.get(stage, stage)
        if _is_stuck(run, needed):
            return None
        missing = next((one for one in BUILD_STAGES if one.rank <= needed.rank and one not in run.results), None)
        if missing is not None or stage in TESTED_AFTER:
            return missing
    return None


def _is_stuck(run: SpecRun, stage: Stage) -> bool:
    """Tell whether a stage will not be done, because one before it, or itself, was not."""
    return any(not result.done for each, result in list(run.results.items()) if each.rank <= stage.rank)
