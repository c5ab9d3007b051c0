"""pytest-xdist: one spec stays on one worker, and all workers use the controller's local cloud.

This is registered with a controller alone. What a worker does is what a session without xdist does, but that it
gets the local cloud's endpoint, and sends what became of its specs.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling, LoadGroupScheduling, LoadScopeScheduling

from pytest_plugin.local_azure import WORKER_INPUT, Endpoint, start
from pytest_plugin.options import settings_key
from pytest_plugin.session import WORKER_OUTPUT
from pytest_plugin.specs import find_template_file
from pytest_plugin.summary import Summary, SummaryWriter, fail_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

CLEANUP_SECONDS = 30 * 60.0
"""How long a worker may clean up after Ctrl-C before it is killed; pytest-xdist's own limit is 10 s."""

SCHEDULINGS = {"loadscope": LoadScopeScheduling, "loadfile": LoadFileScheduling}


def distribute(config: pytest.Config) -> None:
    """Prepare the controller of a distributed session, if there are specs in it.

    Raises:
        pytest.UsageError: the workers would each build every image.
    """
    if hasattr(config, "workerinput") or config.getoption("collectonly") or not any(_specs_below(config)):
        return
    if config.getoption("dist") == "each":
        raise pytest.UsageError("--dist=each would build every image once a worker; leave it out")
    config.pluginmanager.register(Distribution(config), "verified_images_distribution")


class Distribution:
    """The controller's part of a distributed session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._undo = ExitStack()
        self._endpoint: Endpoint | None = None
        self._summaries: list[Summary] = []
        config.pluginmanager.register(SummaryWriter(lambda: self._summaries))

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> LoadScopeScheduling:
        """Keep the items of a spec together, and share out the others as --dist says."""
        return SpecScheduling(config, log)

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker of the local cloud, which is started for the first one."""
        settings = self._config.stash[settings_key]
        if settings.cloud == "local":
            if self._endpoint is None:
                self._endpoint = start(settings, self._undo)
            node.workerinput[WORKER_INPUT] = self._endpoint.as_worker_input()

    def pytest_testnodedown(self, node: WorkerController) -> None:
        """Take what became of a worker's specs; a worker that died sends nothing."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        self._summaries += [Summary(**summary) for summary in output.get(WORKER_OUTPUT, ())]

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Give workers the time to clean up."""
        session = self._config.pluginmanager.get_plugin("dsession")
        if session is not None and hasattr(session, "nodemanager"):
            session.nodemanager.EXIT_TIMEOUT = CLEANUP_SECONDS

    # Last, since pytest-xdist waits for its workers first.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the local cloud, and let the exit code tell of what is left."""
        self._undo.close()
        if any(summary.left or summary.trouble for summary in self._summaries):
            fail_session(session)


class SpecScheduling(LoadGroupScheduling):
    """Shares out specs as a whole, and the other tests one by one or as --dist says."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._root = config.rootpath
        self._others = SCHEDULINGS.get(config.getoption("dist"), LoadGroupScheduling)
        self._folders: dict[str, str | None] = {}

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in self._folders:
            folders = [folder for folder in (self._root / file).parents if find_template_file(folder)]
            self._folders[file] = str(folders[0]) if folders else None
        return self._folders[file] or self._others._split_scope(self, nodeid)  # noqa: SLF001 - what subclasses override


def _specs_below(config: pytest.Config) -> Iterator[Path]:
    """Find the specs that the session's arguments lead to; collection itself happens in the workers."""
    start_folder = config.invocation_params.dir
    for argument in config.args:
        path = start_folder / argument.partition("::")[0]
        if path.is_dir():
            yield from _walk(path, config.getini("norecursedirs"))
        yield from (folder for folder in path.parents if find_template_file(folder))


def _walk(top: Path, left_out: list[str]) -> Iterator[Path]:
    for folder, subfolders, _ in os.walk(top):
        subfolders[:] = [name for name in subfolders if not any(fnmatch(name, pattern) for pattern in left_out)]
        if find_template_file(Path(folder)):
            yield Path(folder)
