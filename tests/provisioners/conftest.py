from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provisioners.machine import Bench
from tests.ssh.openssh import OpenSSHServer, open_session
from verified_images.ssh.keys import new_run_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.ssh.session import Session


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    with OpenSSHServer(tmp_path_factory.mktemp("sshd"), new_run_key(), "Subsystem sftp internal-sftp") as server:
        yield server


@pytest.fixture
def session(server: OpenSSHServer) -> Iterator[Session]:
    with open_session(server) as session:
        yield session


@pytest.fixture
def bench(session: Session, tmp_path: Path) -> Bench:
    return Bench(session, tmp_path / "spec")
