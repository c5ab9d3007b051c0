"""The same work with testinfra's own backends and with Packer, on the same line in one run: we are to be no slower.

Each is done in turns, and the medians are compared. Beside testinfra's backends the connection is open where they
keep one; beside Packer both connect first, and Packer's own start counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import testinfra

from pytest_plugin.testinfra_backend import connect_host
from tests.bench.line import far_machine
from tests.bench.measurement import Measurement
from tests.bench.uploads import seconds
from tests.provisioners.machine import Bench
from tests.ssh.openssh import open_session
from verified_images.stages.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ssh.delay import DelayedLine
    from tests.ssh.openssh import OpenSSHServer
    from verified_images.ssh.session import Session

ROUNDS = 3
CHECKS, SCRIPTS = 5, 10
TREE, LARGE = 100, 20_000_000
BUDGET = 1.0
UNIT = "times as long"


def measure() -> Iterator[Measurement]:
    """Measures checks, scripts and uploads; what needs Packer only where it is installed."""
    with far_machine() as (session, line, server), tempfile.TemporaryDirectory() as name:
        session.run("true")
        yield from measure_checks(session, line, server, Path(name))
        if shutil.which("packer"):
            yield from measure_packer(Packer(server, line, Path(name)))


def measure_checks(session: Session, line: DelayedLine, server: OpenSSHServer, folder: Path) -> Iterator[Measurement]:
    """Compares checks on our connection with those of testinfra's backends."""
    ours = connect_host(Machine("/vm", "vm", "vm", "127.0.0.1", session))
    config = folder / "ssh_config"
    config.write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n")
    options = {"ssh_config": str(config), "ssh_identity_file": f"{server.folder}/key"}
    where = f"{server.username}@127.0.0.1:{line.port}"
    persisting = {"ssh_extra_args": f"-o ControlMaster=auto -o ControlPersist=5 -o ControlPath={folder}/master"}
    for what, other in (
        ("paramiko backend", testinfra.get_host(f"paramiko://{where}", **options)),
        ("ssh backend", testinfra.get_host(f"ssh://{where}", **options)),
        ("ssh backend on one connection", testinfra.get_host(f"ssh://{where}", **options, **persisting)),
    ):
        look_at(other, 1)
        ratio = compare(lambda: look_at(ours, CHECKS), lambda other=other: look_at(other, CHECKS))  # type: ignore[misc]
        yield Measurement(f"{CHECKS} checks, beside testinfra's {what}", ratio, BUDGET, UNIT)


def look_at(host: Any, times: int) -> None:  # noqa: ANN401 - testinfra is untyped to mypy
    """Asks for a file's existence again and again."""
    for _ in range(times):
        if not host.file("/etc/passwd").exists:
            raise RuntimeError("The machine has no /etc/passwd.")


def measure_packer(packer: Packer) -> Iterator[Measurement]:
    """Compares provisioners with Packer's."""
    for what, ours, theirs in (
        (f"{SCRIPTS} shell scripts", *scripts()),
        (f"upload of {TREE} files of 10 KB", *upload(packer.folder, TREE, 10_000)),
        (f"upload of a file of {LARGE // 1_000_000} MB", *upload(packer.folder, 1, LARGE)),
    ):
        ratio = compare(
            lambda ours=ours: provision(packer, ours),  # type: ignore[misc]
            lambda theirs=theirs: packer.build(theirs),  # type: ignore[misc]
        )
        yield Measurement(f"{what}, beside Packer", ratio, BUDGET, UNIT)


def provision(packer: Packer, provisioners: list[dict[str, Any]]) -> None:
    """Connects to the machine as Packer does, and provisions it."""
    with (
        tempfile.TemporaryDirectory() as name,
        open_session(packer.server, port=packer.line.port) as session,
    ):
        Bench(session, Path(name, "template")).provision(*provisioners)


def scripts() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Gives shell scripts as we and as Packer have them."""
    lines = [[f"echo {number}"] for number in range(SCRIPTS)]
    return [{"shell": {"inline": each}} for each in lines], [{"type": "shell", "inline": each} for each in lines]


def upload(folder: Path, count: int, size: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Gives the upload of a folder as we and as Packer have it."""
    tree = folder / f"tree{count}"
    tree.mkdir()
    for number in range(count):
        (tree / f"file{number}").write_bytes(os.urandom(size))
    keys = {"source": f"{tree}/", "destination": f"{folder}/uploaded{count}"}
    Path(keys["destination"]).mkdir()
    return [{"file": keys}], [{"type": "file", **keys}]


def compare(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Returns how much longer our work takes."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    return median(our for our, _ in pairs) / median(their for _, their in pairs)


@dataclass(frozen=True)
class Packer:
    """Packer with its builder that builds nothing, on the machine at the end of a line."""

    server: OpenSSHServer
    line: DelayedLine
    folder: Path

    def build(self, provisioners: list[dict[str, Any]]) -> None:
        """Runs a build."""
        builder = {
            "type": "null",
            "ssh_host": "127.0.0.1",
            "ssh_port": self.line.port,
            "ssh_username": self.server.username,
            "ssh_private_key_file": f"{self.server.folder}/key",
        }
        template = self.folder / "packer.json"
        template.write_text(json.dumps({"builders": [builder], "provisioners": provisioners}))
        environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        command: list[str | Path] = ["packer", "build", template]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
