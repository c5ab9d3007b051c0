from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.emulator.recordings.exchanges import read_recording, recording_files
from tests.emulator.recordings.player import Player
from tests.emulator.recordings.tally import Count, Tally
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.identity import issue_token
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """Give the counts of what this session has played, which its summary shows."""
    return request.config.stash.setdefault(_TALLY, Tally())


@pytest.fixture(scope="session")
def play(tally: Tally, tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Callable[[str], Count]:
    """Give a function that plays a recording, once in the session, to a local Azure of its own."""
    files = recording_files()

    @cache
    def play(name: str) -> Count:
        # Operations take a moment, so that the first answers are those of operations that still run.
        options = Options(hypervisor="fake", cache=image_cache, timing=Timing(default=0.002))
        with LocalCloud(tmp_path_factory.mktemp("azure"), options) as cloud:
            token = issue_token(cloud.account, "127.0.0.1")
            return tally.add(name, Player(cloud, token).play(read_recording(files[name])))

    return play


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally and tally.recordings:
        terminalreporter.section("recorded exchanges: compared, agreeing, excused, differing")
        for line in tally.lines():
            terminalreporter.line(line)
