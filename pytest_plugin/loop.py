"""The run loop of a session with several specs: whatever is ready runs first.

An item whose stage is still being done does not hold up others. A visit, the items of one module in one stage, is
not broken up, so that users' module fixtures are set up once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.failures import without_history
from pytest_plugin.schedule import plan_visits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_plugin.ahead import Ahead
    from pytest_plugin.schedule import Visit
    from pytest_plugin.session import SpecSession

_SEVERAL = 2
_LOOK_SECONDS = 0.5


class RunLoop:
    """Takes pytest's place at the run loop where there are several specs."""

    def __init__(self, session: SpecSession) -> None:
        self._specs = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the items of several specs in the order in which they become ready; of one, leave it to pytest."""
        if len(self._specs.runs) < _SEVERAL or session.testsfailed or not may_work_ahead(session.config):
            return None
        try:
            ReadyFirstLoop(session, self._specs.work_ahead(session.items), self._specs.tell).run()
        except KeyboardInterrupt as interrupt:
            # A signal may come where Python knows of no line, which pytest cannot show.
            raise without_history(interrupt, session.config) from None
        return True


def may_work_ahead(config: pytest.Config) -> bool:
    """Tell whether stages may be done in threads: not where nothing is to run, nor where xdist has its own loop."""
    # A plugin that was left out (-p no:debugging) has declared no options.
    forbidding = (config.getoption(name, default=False) for name in ("collectonly", "setuponly", "usepdb", "trace"))
    return not (any(forbidding) or hasattr(config, "workerinput"))


class _Break(pytest.Item):
    """Stands for whatever item comes next, which is not known yet: it is in no module and in no folder."""

    def runtest(self) -> None:
        """Never run."""
        raise NotImplementedError


class ReadyFirstLoop:
    """Runs the session's items; ``meanwhile`` is called while nothing is ready, and between visits."""

    def __init__(self, session: pytest.Session, ahead: Ahead, meanwhile: Callable[[], None]) -> None:
        self._session = session
        self._ahead = ahead
        self._meanwhile = meanwhile
        self._break = _Break.from_parent(session, name="next")

    def run(self) -> None:
        """Run everything, as pytest's own loop does.

        Raises:
            pytest.Session.Failed: enough has failed (-x, --maxfail).
            pytest.Session.Interrupted: something asked for the end of the session.
        """
        coming = plan_visits(self._session.items)
        self._ahead.start()
        while coming:
            visit = self._await_visit(coming)
            coming.remove(visit)
            self._run_visit(visit, is_last=not coming)
            self._meanwhile()

    def _await_visit(self, coming: Sequence[Visit]) -> Visit:
        while True:
            visit = self._find_ready(coming)
            if visit is not None:
                return visit
            self._ahead.wait(_LOOK_SECONDS)
            self._meanwhile()

    def _find_ready(self, coming: Sequence[Visit]) -> Visit | None:
        """Give the first visit that is ready, of each spec none but its next one."""
        seen = set()
        for visit in coming:
            if visit.spec is not None and visit.spec in seen:
                continue
            seen.add(visit.spec)
            if self._ahead.is_ready(visit):
                return visit
        return None

    def _run_visit(self, visit: Visit, *, is_last: bool) -> None:
        following: list[pytest.Item | None] = [*visit.items[1:], None if is_last else self._break]
        for item, nextitem in zip(visit.items, following, strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            self._ahead.finished(item)
            if self._session.shouldfail:
                raise self._session.Failed(self._session.shouldfail)
            if self._session.shouldstop:
                raise self._session.Interrupted(self._session.shouldstop)
