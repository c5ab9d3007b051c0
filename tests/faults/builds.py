"""One cell of the matrix: a whole build in which one call goes wrong, and what became of it."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.faults.calls import ClientTransport, calls_of
from tests.faults.remains import find_wrongs
from tests.local_azure import GALLERY, MANAGED, make_template, opened_build
from verified_images.cloud.operations import Arm
from verified_images.errors import VerifiedImagesError
from verified_images.journal import read_journal
from verified_images.naming import RUN_TAG, new_run
from verified_images.reaping import Choice, find_leftovers, reap
from verified_images.reports.verdict import Verdict
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.faults.calls import Call
    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud
    from verified_images.naming import Run
    from verified_images.pipeline import Build
    from verified_images.templates.model import Template

PASSED = Verdict(passed=True, tests=3)
PLANTED = "PlantedFault"
_NUMBERS = itertools.count(1)
_PLENTY = {"stall": 120, "cleanup": 120}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by its name in the table; ``rule`` has the fields of its rule, ``transient`` that Azure calls it so."""

    name: str
    rule: dict[str, Any]
    transient: bool = False
    waits: bool = False
    timeouts: Mapping[str, float] | None = None


def _refused(status: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a rule
    return {"fault": "refused", "status": status, "code": PLANTED, "message": f"{PLANTED} in a test", **fields}


def _ended(fault: str) -> dict[str, Any]:
    return {"fault": fault, "code": PLANTED, "message": f"{PLANTED} in a test"}


_STALLS_SOON = {"stall": 20}

# Azure: "Recommendations for handling transient faults" and the SDK's retry policy: 408, 429 and 5xx are tried again.
FAULTS = (
    Fault("400", _refused(400)),
    Fault("403", _refused(403)),
    Fault("404", _refused(404)),
    Fault("409", _refused(409)),
    Fault("429", {"fault": "throttled", "retry_after": 7}, transient=True),
    Fault("500", _refused(500), transient=True),
    Fault("503", _refused(503), transient=True),
    Fault("reset", {"fault": "reset"}, transient=True),
    Fault("reset after", {"fault": "reset", "carried_out": True}, transient=True),
    Fault("LRO failed", _ended("operation_failed"), waits=True),
    Fault("LRO canceled", _ended("operation_canceled"), waits=True),
    Fault("LRO stuck", {"fault": "operation_stuck"}, waits=True, timeouts=_STALLS_SOON),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of a build: ``error`` has the texts of what it ended with, ``wrong`` what must not be."""

    call: Call
    fault: Fault
    struck: bool
    error: str
    reaped: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.call} [{self.call.scope}] x {self.fault.name}: {'; '.join(self.wrong)}; {self.error}"


def run_cell(cloud: LocalCloud, connection: CloudConnection, folder: Path, call: Call, fault: Fault) -> Cell:
    """Make a whole build in which a fault strikes a call, then reap what it left, and look what is there."""
    number, run = next(_NUMBERS), new_run("web")
    name = cloud.faults.add(
        name=f"cell-{number}",
        method=call.method,
        operation=call.operation,
        resource=call.scope_in(run.id, number),
        user_agent=f"cell-{number}",
        **fault.rule,
    )
    errors: list[str] = []
    with client(connection, f"cell-{number}") as own:
        try:
            with opened_build(
                own, template_of(folder, number, call.orchestration, fault.timeouts), folder, run=run
            ) as build:
                publish(build)
        except VerifiedImagesError as error:
            errors = texts_of(error)
        seen = next(rule for rule in cloud.faults.describe() if rule["name"] == name)
        cloud.faults.remove(name)
        reaped = reap_what_is_left(own, folder, run)
        found = find_wrongs(own, (RUN_TAG, run.id), number, passed=not errors)
        wrong = [*found, *_untold(call, fault, errors)]
    return Cell(call, fault, seen["hit"] > 0, " / ".join(errors), reaped, tuple(wrong))


def _untold(call: Call, fault: Fault, errors: list[str]) -> Iterator[str]:
    """Say what an error does not tell of the fault that struck."""
    if errors and fault.transient:
        yield "a transient fault was not survived"
    # That there is nothing to delete is no error, and that there is no group is told without its code.
    of_group = call.operation.lower().endswith("resourcegroups/read")
    told = fault.name != "404" or not (call.method == "DELETE" or of_group)
    if errors and told and fault.rule.get("code") and not any(PLANTED in text for text in errors):
        yield "the error does not tell the code"
    if errors and fault.timeouts and not any("made no progress for" in text for text in errors):
        yield "the error does not tell of the stall"


def template_of(folder: Path, number: int, orchestration: str, timeouts: Mapping[str, float] | None = None) -> Template:
    """Give the template of a build."""
    return make_template(
        folder,
        provisioners=[{"shell": {"inline": ["true"]}}],
        image={"gallery": {**GALLERY, "version": f"1.0.{number}"}, "managed": {**MANAGED, "name": f"web-{number}"}},
        smoke={"instances": 1, "timeout": 60, "orchestration": orchestration},
        timeouts=timeouts or _PLENTY,
    )


def discover(connection: CloudConnection, folder: Path, orchestration: str) -> tuple[Call, ...]:
    """Make a build in which nothing goes wrong, and give its calls, each once."""
    number, run = next(_NUMBERS), new_run("web")
    with client(connection, "discovery") as own:
        with opened_build(own, template_of(folder, number, orchestration), folder, run=run) as build:
            publish(build)
        assert isinstance(own.transport, ClientTransport)
        found = dict.fromkeys(calls_of(own.transport.sent, run.id, number))
        return tuple(replace(call, orchestration=orchestration) for call in found)


@contextmanager
def client(connection: CloudConnection, name: str) -> Iterator[CloudConnection]:
    """Give a connection to the same cloud under another name."""
    with ClientTransport(connection, name) as transport:
        # Whether resources are looked at depends on how busy this machine is.
        yield replace(connection, transport=transport, looks=False)


def publish(build: Build) -> None:
    """Go all the way."""
    captured = build.capture(build.provision(build.preflight()), PASSED)
    build.publish(captured, build.deploy(captured), PASSED)


def texts_of(error: BaseException | None) -> list[str]:
    """Give what an error tells, and those that it followed."""
    texts = []
    while error is not None:
        texts += [str(error), *(str(inner) for inner in getattr(error, "errors", ()))]
        error = error.__cause__ or error.__context__
    return texts


def reap_what_is_left(connection: CloudConnection, folder: Path, run: Run) -> int:
    """Reap a run by its journal and its tags; give the number of resources that were there."""
    arm = Arm(connection, lambda _: None)
    journal = folder / "runs" / f"{run.id}.jsonl"
    # A process that another thread starts has a share of its lock, until it executes its program.
    wait_for(lambda _: not (journal.exists() and read_journal(journal).active) or None, Deadline("its end", 60))
    records = [read_journal(journal)] if journal.exists() else []
    findings = find_leftovers(arm, records, Choice(frozenset({run.id})), datetime.now(UTC))
    reaped = [reap(arm, leftover) for leftover in findings.ripe]
    assert not any(one.left or one.errors for one in reaped), reaped
    return sum(len(one.removed) for one in reaped)
