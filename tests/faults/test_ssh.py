"""Whatever goes wrong at whatever step over SSH: it is survived where that is right, or the session fails cleanly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.remains import find_wrongs
from tests.faults.sessions import TEMPLATE, Sessions
from tests.faults.ssh_steps import FAULTS, LOG_IN, TRANSIENT, Step, Strikes
from tests.faults.table import new_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

Azure = tuple["LocalCloud", "CloudConnection"]
AT_ONCE = 4
NUMBERS = count(20_000)
PROVISIONERS = """\
  - shell: {{inline: ["echo one"]}}
  - shell: {{script: files/again.sh, max_retries: 1}}
  - shell: {{script: files/restart.sh, expect_disconnect: true, timeout: 2m}}
  - file: {{content: "one file", destination: /tmp/one}}
  - file: {{source: files/, destination: /tmp/tree}}
  - file: {{source: /tmp/one, destination: "{folder}/", direction: download}}
  - shell: {{inline: ["printf '#!/bin/sh\\\\n' >/usr/local/bin/puppet", "chmod 755 /usr/local/bin/puppet"], sudo: true}}
  - puppet-masterless: {{manifest_file: files/site.pp}}
"""
MAY_RUN_TWICE = {LOG_IN, "ask", "upload", "upload_bytes", "download"}
TOLD = {
    "dropped": ("broke",),
    "silent for a while": ("broke",),
    "hung": ("made no progress for", "the return of"),
    "host key changed": ("showed the host key", "has no host key of a pinned kind", "broke"),
    "authentication refused": ("refused the run's key", "broke"),
}


class Plan(NamedTuple):
    """What shall go wrong: which fault at which step, instead of its next answer but ``after`` others."""

    step: Step
    fault: str
    after: int = 0

    def __str__(self) -> str:
        return f"{self.fault} at {self.step}, answer {self.after + 1}"

    @property
    def must_be_survived(self) -> bool:
        """Whether nothing is lost but a connection, and what was being done may be done once more."""
        retried = any(word in self.step.what for word in ("again.sh", "restart.sh", "is-system-running"))
        return self.fault in TRANSIENT and (self.step.call in MAY_RUN_TWICE or retried)


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of a session: ``wrong`` is what must not be."""

    plan: Plan
    passed: bool
    wrong: tuple[str, ...]


@pytest.fixture(scope="module")
def steps(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> tuple[Step, ...]:
    """Every step of a session over SSH."""
    number = next(NUMBERS)
    sessions = prepare(azure, tmp_path_factory.mktemp("discovery"), number)
    with sessions.begin(plugin=Strikes()) as session:
        found, _ = session.receive()
        assert session.wait() == 0, sessions.output
    return tuple(found)


def prepare(azure: Azure, folder: Path, number: int) -> Sessions:
    sessions = Sessions(folder, azure[0], folder.parent / "cache")
    files = folder / "specs" / f"cell-{number}" / "files"
    first, last = TEMPLATE.split('  - shell: {{inline: ["true"]}}\n')
    provisioners = PROVISIONERS.format(folder=folder)
    sessions.add(f"cell-{number}", first.format() + provisioners + last.format(number=number))
    files.mkdir()
    for script in ("again.sh", "restart.sh"):
        (files / script).write_text("#!/bin/sh\ntrue\n")
    (files / "site.pp").write_text("notify { 'hello': }\n")
    (files / "large").write_bytes(bytes(range(256)) * 4096)
    return sessions


def run_cell(azure: Azure, folder: Path, plan: Plan) -> Cell:
    """Run a session in which something goes wrong, and look what it tells and leaves."""
    number = next(NUMBERS)
    sessions = prepare(azure, folder / f"cell-{number}", number)
    with sessions.begin(plugin=Strikes(*plan)) as session:
        try:
            _, struck = session.receive()
        except EOFError:
            struck = False
        code = session.wait()
    wrong = list(_untold(sessions, plan, code))
    if not struck:
        wrong.append("it did not happen")
    if sessions.runs:
        wrong.append(f"left in the journals: {sessions.runs}")
    wrong += find_wrongs(azure[1], ("vi-spec", f"cell-{number}"), number, passed=code == 0)
    if wrong:
        wrong.append(sessions.output[-6000:])
    return Cell(plan, code == 0, tuple(wrong))


def _untold(sessions: Sessions, plan: Plan, code: int) -> Iterator[str]:
    """Say what the session did not tell, or told in a way that it should not."""
    if code != (0 if plan.must_be_survived else pytest.ExitCode.TESTS_FAILED):
        yield f"exit code {code}"
    if ("failure" in (outcomes := sessions.read_report().values()) or "error" in outcomes) is (code == 0):
        yield f"JUnit's {sorted(outcomes)} with exit code {code}"
    # Tests have no budget: what is found out there is that the connection is dead.
    told = TOLD[plan.fault] if plan.step.in_stage else ("broke",)
    if code and not any(text in sessions.output for text in told):
        yield f"it tells none of {told}"
    for word in ("Traceback (most recent call last)", "INTERNALERROR"):
        if word in sessions.output:
            yield word


def run_all(azure: Azure, folder: Path, plans: Sequence[Plan]) -> None:
    """Run every cell, several at once, count how they ended, and fail with what is wrong."""
    table = new_table("SSH steps")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = list(pool.map(lambda plan: run_cell(azure, folder, plan), plans))
    for cell in cells:
        leaked = ["leaked"] if any(text.startswith("left") for text in cell.wrong) else []
        table.count(cell.plan.fault, "survived" if cell.passed else "failed cleanly", *leaked)
    wrong = [f"{cell.plan}: {'; '.join(cell.wrong)}" for cell in cells if cell.wrong]
    assert not wrong, "\n\n".join(wrong)


def test_each_fault_at_some_step(azure: Azure, steps: tuple[Step, ...], tmp_path: Path) -> None:
    assert {step.call for step in steps} >= {LOG_IN, "ask", "run", "upload", "upload_bytes", "download"}
    spread = [steps[place * (len(steps) - 1) // (2 * len(FAULTS) - 1)] for place in range(2 * len(FAULTS))]
    run_all(azure, tmp_path, [Plan(step, [*FAULTS][place % len(FAULTS)]) for place, step in enumerate(spread)])


@pytest.mark.faults_full
@pytest.mark.timeout(6 * 3600)
def test_every_fault_at_every_step(azure: Azure, steps: tuple[Step, ...], tmp_path: Path) -> None:
    plans = [Plan(step, fault) for step in steps for fault in FAULTS]
    logins = [step for step in steps if step.call == LOG_IN]
    plans += [Plan(step, fault, after) for step in logins for fault in TRANSIENT for after in range(1, step.answers)]
    run_all(azure, tmp_path, plans)
