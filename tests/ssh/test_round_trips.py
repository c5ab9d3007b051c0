"""The budgets in round trips, counted on a line with a delay; how long they take is measured by the benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ssh.delay import DelayedLine
from tests.ssh.openssh import OpenSSHServer, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.ssh.session import Session


@pytest.fixture
def line(server: OpenSSHServer) -> Iterator[DelayedLine]:
    with DelayedLine(server.port, 0.01) as line:
        yield line


@pytest.fixture
def far(server: OpenSSHServer, line: DelayedLine) -> Iterator[Session]:
    with open_session(server, port=line.port) as session:
        yield session


def test_a_command_takes_one_round_trip(far: Session, line: DelayedLine) -> None:
    before = line.round_trips
    for number in range(20):
        assert far.run("echo $N; echo err >&2", env={"N": str(number)}).exit_code == 0
    assert line.round_trips - before == 20


def test_an_upload_waits_for_nothing_but_its_start_and_its_end(far: Session, line: DelayedLine, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(50):
        (folder / str(number)).write_bytes(b"x" * 1000)
    before = line.round_trips
    far.upload(str(folder), str(tmp_path / "there"))
    assert line.round_trips - before <= 4
