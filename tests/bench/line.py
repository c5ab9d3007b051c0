"""What the SSH benchmarks share: a real OpenSSH server behind a line that takes 25 ms each way."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ssh.delay import DelayedLine
from tests.ssh.openssh import OpenSSHServer, open_session
from verified_images.ssh.keys import new_run_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.ssh.session import Session

DELAY = 0.025
ROUND_TRIP = 2 * DELAY


@contextmanager
def far_machine() -> Iterator[tuple[Session, DelayedLine, OpenSSHServer]]:
    """Gives a session through the line, the line, and the server behind it."""
    with tempfile.TemporaryDirectory() as folder:
        key = new_run_key()
        key.write(Path(folder, "key"))
        with (
            OpenSSHServer(Path(folder), key) as server,
            DelayedLine(server.port, DELAY) as line,
            open_session(server, port=line.port) as session,
        ):
            yield session, line, server
