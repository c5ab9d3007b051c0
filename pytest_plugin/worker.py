"""What a worker of pytest-xdist does otherwise than a session alone: it shares places and sends what it refuses."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from pytest_plugin.schedule import stage_of
from pytest_plugin.specs import spec_of
from pytest_plugin.stages import WITHOUT_MACHINES
from verified_images.waiting import pause

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from execnet import Channel

    from pytest_plugin.session import SpecSession

PLACES_INPUT = "verified_images_places"
"""The key under which a controller tells its workers of the places of --vi-jobs: a folder, and how many there are."""

GROUPS_INPUT = "verified_images_groups"
"""The key under which a controller gives its workers the channel for the groups of tests, where it goes by them."""

REFUSAL = "verified-images"
"""The node id of a report that stands for a usage error."""

_LOOK_SECONDS = 0.2


@contextmanager
def refusing(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Let a usage error of a worker reach its controller, as a collection error; elsewhere let it pass.

    A worker that ends with it would end the controller with an internal error that does not name it.
    """
    try:
        yield
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        items.clear()
        report = pytest.CollectReport(REFUSAL, "failed", longrepr=str(error), result=[])
        config.hook.pytest_collectreport(report=report)


class WorkersPlace:
    """Takes one of the places that all workers have in common before a spec gets machines; a file each is locked."""

    def __init__(self, session: SpecSession, folder: Path, places: int) -> None:
        self._session = session
        self._files = [folder / str(number) for number in range(places)]
        self._held: IO[str] | None = None
        self._wants = ""

    def queueing(self) -> Sequence[str]:
        """Say which spec waits until fewer others have machines."""
        return [self._wants] if self._wants else []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Have a place while items run for which there have to be machines."""
        run = self._session.run_of(item)
        if run is not None and self._held is None and stage_of(item) not in WITHOUT_MACHINES:
            self._take(run.spec.name)
        result = yield
        is_last = nextitem is None or spec_of(nextitem) is not spec_of(item)
        if is_last and run is not None and not run.needs_cleanup:
            self.give_back()
        return result

    def give_back(self) -> None:
        """Let others have the place; a worker that dies does so too."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def _take(self, spec: str) -> None:
        self._wants = spec
        try:
            while not any(self._lock(file) for file in self._files):
                pause(_LOOK_SECONDS)
        finally:
            self._wants = ""

    def _lock(self, path: Path) -> bool:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._held = file
        return True


def share_places(session: SpecSession) -> WorkersPlace | None:
    """Give what takes places from the controller's, in a worker; elsewhere None."""
    given = getattr(session.config, "workerinput", {}).get(PLACES_INPUT)
    # A worker on another computer has its own machines, and not this folder.
    if given is None or not Path(given[0]).is_dir():
        return None
    return WorkersPlace(session, Path(given[0]), given[1])


class GroupsTeller:
    """Tells the controller which tests are of one group, since not all versions of pytest let node ids say it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    # pytest-xdist sends the node ids in this hook.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Send the groups by node id."""
        self._channel.send({item.nodeid: f"group {group}" for item in session.items if (group := group_of(item))})


def group_of(item: pytest.Item) -> str:
    """Give the group of a test as pytest-xdist names it: by all of its xdist_group markers; empty without one."""
    markers = list(item.iter_markers("xdist_group"))
    return "_".join(sorted({str((*marker.args, marker.kwargs.get("name", "default"))[0]) for marker in markers}))
