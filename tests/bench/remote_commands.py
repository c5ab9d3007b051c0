"""Commands, scripts and testinfra's checks on a machine 50 ms away, in round trips."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_plugin.testinfra_backend import connect_host
from tests.bench.line import ROUND_TRIP, far_machine
from tests.bench.measurement import Measurement
from tests.provisioners.machine import Bench
from verified_images.stages.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.ssh.session import Session

ROUNDS = 5
COMMANDS, SCRIPTS, CHECKS = 10, 20, 40


def measure() -> Iterator[Measurement]:
    """Measures what a template and its tests do most."""
    with far_machine() as (session, _, _), tempfile.TemporaryDirectory() as name:
        session.run("true")
        folder = Path(name)
        command = in_round_trips(lambda _: [session.run("true") for _ in range(COMMANDS)], COMMANDS)
        check = in_round_trips(lambda _: check_with_testinfra(session), CHECKS)
        script = in_round_trips(lambda number: run_scripts(session, folder / str(number)), SCRIPTS)
    yield Measurement("a command on an open connection", command, 1.2, "round trips")
    yield Measurement(f"one of {ROUNDS * CHECKS} testinfra checks", check, 1.3, "round trips")
    yield Measurement(f"one of {SCRIPTS} shell scripts", script, 2, "round trips")


def in_round_trips(work: Callable[[int], object], times: int) -> float:
    """Returns how many round trips one of the pieces of work took, in the median of several rounds of it."""
    took = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - began) / times / ROUND_TRIP)
    return median(took)


def check_with_testinfra(session: Session) -> None:
    """Asks for a file's existence through testinfra, again and again."""
    host = connect_host(Machine("/vm", "vm", "vm", "127.0.0.1", session))
    for _ in range(CHECKS):
        if not host.file("/etc/passwd").exists:
            raise RuntimeError("The machine has no /etc/passwd.")


def run_scripts(session: Session, folder: Path) -> None:
    """Runs scripts as a template's shell provisioners do."""
    bench = Bench(session, folder)
    scripts: list[dict[str, dict[str, object]]] = [
        {"shell": {"inline": [f"echo {number}"]}} for number in range(SCRIPTS)
    ]
    bench.provision(*scripts)
