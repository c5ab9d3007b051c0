"""pytest-xdist: one spec stays on one worker, and all workers use the controller's local cloud.

This is registered with a controller alone. What a worker does is what a session without xdist does, but that it
gets the local cloud's endpoint, and sends what became of its specs.
"""

from __future__ import annotations

import contextlib
import queue
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling

from pytest_plugin.doing import STATUS_INPUT, Elsewhere
from pytest_plugin.interrupts import TermAsInterrupt
from pytest_plugin.leftovers import describe_cloud, offer_to_reap
from pytest_plugin.local_azure import WORKER_INPUT, start
from pytest_plugin.options import settings_key
from pytest_plugin.progress import TerminalLive
from pytest_plugin.session import WORKER_OUTPUT
from pytest_plugin.showing import Showing
from pytest_plugin.summary import Summary, SummaryWriter, fail_session, pass_unchanged
from pytest_plugin.terminal import Terminal
from pytest_plugin.worker import GROUPS_INPUT, PLACES_INPUT, REFUSAL
from verified_images.errors import TemplateError
from verified_images.templates.finding import HCL_ENDINGS, find_templates, holds_templates
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from xdist.dsession import DSession
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from verified_images.emulator.access import Access

CLEANUP_SECONDS = 30 * 60.0
"""How long workers may clean up after Ctrl-C; pytest-xdist itself kills them after some seconds."""

LAST_WORDS_SECONDS = 10.0
"""How long workers may take to say what they leave after a second Ctrl-C."""

SCHEDULINGS = {"loadscope": LoadScopeScheduling, "loadfile": LoadFileScheduling}


class Distribution:
    """The controller's part of a distributed session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._undo = ExitStack()
        self._access: Access | None = None
        self._summaries: list[Summary] = []
        self._working: set[WorkerController] = set()
        self._term = TermAsInterrupt()
        self._doing = Elsewhere()
        self._groups: dict[str, str] = {}
        self._places = self._undo.enter_context(TemporaryDirectory(prefix="verified-images-"))
        self._refused = False
        self._live: TerminalLive | None = None
        self._showing: Showing | None = None
        config.pluginmanager.register(SummaryWriter(lambda: self._summaries))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Prepare to show what the workers do; there was no reporter before."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        terminal = Terminal(reporter, shares_lines=True)
        self._live = TerminalLive(self._config, terminal)
        self._showing = Showing(self._config, terminal, self._doing.board, self._live.announce)
        self._config.pluginmanager.register(self._showing)

    def pytest_report_header(self) -> list[str]:
        """Name the cloud, and what earlier runs have left; the specs are found by the workers."""
        settings = self._config.stash[settings_key]
        return [describe_cloud(settings), *offer_to_reap(settings)]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what a worker refused."""
        self._refused = self._refused or report.nodeid == REFUSAL

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> LoadScopeScheduling:
        """Keep the items of a spec together, and share out the others as --dist says."""
        return SpecScheduling(config, log, self._groups)

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker of the local cloud, which is started for the first one, and let it say what it does."""
        self._working.add(node)
        channel = node.gateway.newchannel()
        channel.setcallback(partial(self._doing.take, node))
        node.workerinput[STATUS_INPUT] = channel
        if self._config.getoption("dist") == "loadgroup":
            # Messages of a worker are taken in the order in which it sent them: the groups come before the node ids.
            groups = node.gateway.newchannel()
            groups.setcallback(self._groups.update)
            node.workerinput[GROUPS_INPUT] = groups
        settings = self._config.stash[settings_key]
        node.workerinput[PLACES_INPUT] = (self._places, settings.jobs)
        if settings.cloud == "local":
            if self._access is None:
                self._access = start(settings, self._undo)
            node.workerinput[WORKER_INPUT] = self._access

    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take what became of a worker's specs; a worker that died sends nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        told = [Summary(**summary) for summary in output.get(WORKER_OUTPUT, ())]
        # Every worker tells of the specs that have not changed.
        self._summaries += [summary for summary in told if summary not in self._summaries]
        self._working.discard(node)
        self._doing.take(node, ())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Let SIGTERM end the session as Ctrl-C does."""
        self._term.install()
        return (yield)

    # Outermost, since pytest-xdist ends its workers here, and those use the local cloud to their end.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Wait for workers that clean up, close the local cloud, let the exit code tell of what is left."""
        try:
            self._wait_for_workers()
            return (yield)
        finally:
            if self._showing is not None:
                self._showing.end()
            self._undo.close()
            self._term.restore()
            self._judge(session)

    def _wait_for_workers(self) -> None:
        """After Ctrl-C, give the workers time: pytest-xdist would kill them after some seconds."""
        session: DSession | None = self._config.pluginmanager.get_plugin("dsession")
        if session is None or not self._working:
            return
        self._tell(f"waiting for {len(self._working)} workers to clean up; Ctrl-C leaves what is there")
        for node in self._working:
            node.shutdown()
        patience = Deadline("the clean-up of the workers", CLEANUP_SECONDS)
        while self._working and patience.remaining:
            try:
                self._take_event(session)
            except KeyboardInterrupt:  # the workers were interrupted too, and say at once what they leave
                patience = Deadline("the last words of the workers", min(patience.remaining, LAST_WORDS_SECONDS))

    def _take_event(self, session: DSession) -> None:
        with contextlib.suppress(queue.Empty):
            name, facts = session.queue.get(timeout=1.0)
            if name in {"workerfinished", "errordown"}:
                self.pytest_testnodedown(facts["node"])

    def _tell(self, line: str) -> None:
        if self._live is not None:
            self._live.note(line)

    def _judge(self, session: pytest.Session) -> None:
        if self._refused:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if self._summaries and all(summary.unchanged for summary in self._summaries):
            pass_unchanged(session)
        if any(summary.left or summary.trouble for summary in self._summaries):
            fail_session(session)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one worker runs: the specs of one template, whose names begin with ``stem``."""

    name: str
    file: str
    stem: str

    def holds(self, nodeid: str) -> bool:
        """Tell whether an item is one of the template's stages, or a test whose parameters begin with a spec's name."""
        parameters = nodeid.partition("::")[2].partition("[")[2]
        named = parameters.startswith((f"{self.stem}-", f"{self.stem}]"))
        return named or nodeid.partition("::")[0].endswith(f"/{self.file}")


def scopes_of(folder: Path) -> tuple[Scope, ...]:
    """Give the scopes of a folder with templates, those with the longest names first."""
    try:
        paths = find_templates(folder)
    except TemplateError:
        paths = ()
    if len(paths) <= 1:
        return (Scope(str(folder), "", folder.name),)
    stems = {path: path.name.partition(".")[0] for path in paths}
    scopes = [Scope(str(path), path.name if path != folder else HCL_ENDINGS[0], stem) for path, stem in stems.items()]
    return tuple(sorted(scopes, key=lambda scope: len(scope.stem), reverse=True))


class SpecScheduling(LoadScopeScheduling):
    """Shares out specs as a whole, and the other tests one by one or as --dist says; ``groups`` are by node id."""

    def __init__(
        self, config: pytest.Config, log: Producer | None = None, groups: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(config, log)
        self._root = config.rootpath
        self._others = SCHEDULINGS.get(config.getoption("dist"))
        self._groups = {} if groups is None else groups
        self._scopes: dict[str, tuple[Scope, ...]] = {}

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in self._scopes:
            folders = (folder for folder in (self._root / file).parents if holds_templates(folder))
            self._scopes[file] = next((scopes_of(folder) for folder in folders), ())
        scopes = self._scopes[file]
        if not scopes:
            others = self._others
            return others._split_scope(self, nodeid) if others else self._groups.get(nodeid, nodeid)  # noqa: SLF001 - what subclasses override
        return next((scope.name for scope in scopes if scope.holds(nodeid)), scopes[0].name)
