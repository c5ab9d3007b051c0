"""A machine that is kept, and what a later build does with it: real HTTP, the real SDK, real SSH."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.local_azure import Told, everything, make_template, start_local_azure
from verified_images.cloud.operations import Arm
from verified_images.cloud.tagged import list_tagged
from verified_images.errors import MachineError, VerifiedImagesError
from verified_images.journal import Journal, Target, read_journal
from verified_images.naming import EXPIRY_TAG, RUN_TAG, format_time, new_run
from verified_images.pipeline import Build
from verified_images.reports.verdict import Verdict
from verified_images.ssh.keys import read_run_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.naming import Run
    from verified_images.templates.model import Template

PASSED = Verdict(passed=True, tests=3)
EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudConnection]:
    """A local Azure for this file."""
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (_, connection):
        yield connection


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return make_template(tmp_path)


@contextmanager
def begun(connection: CloudConnection, template: Template, folder: Path) -> Iterator[tuple[Build, Run]]:
    """A build that nobody cleans up."""
    run = new_run(template.name)
    target = Target(connection.name, connection.subscription_id, connection.endpoint)
    with Journal.open(run, folder, target=target) as journal:
        build = Build(template, connection, run, journal=journal, output=Told())
        yield build, run
        build.disconnect()


@contextmanager
def gone_on(connection: CloudConnection, template: Template, path: Path) -> Iterator[Build]:
    """A build that goes on with an earlier run, and cleans up."""
    record = read_journal(path)
    key = read_run_key(path.with_suffix(".key")) if path.with_suffix(".key").exists() else None
    with (
        Journal.resume(path) as journal,
        Build(template, connection, record.run, journal=journal, output=Told(), key=key) as build,
    ):
        build.resume(record)
        yield build


@pytest.fixture
def kept(connection: CloudConnection, template: Template, tmp_path: Path) -> Path:
    """The journal of a machine that was provisioned and kept."""
    with begun(connection, template, tmp_path) as (build, run):
        build.provision(build.preflight())
        build.keep(EXPIRES)
    return tmp_path / f"{run.id}.jsonl"


def test_everything_of_it_expires_when_asked_to(connection: CloudConnection, kept: Path) -> None:
    own = [item for item in list_tagged(Arm(connection, print), RUN_TAG) if item.tags[RUN_TAG] == kept.stem]
    assert {item.tags[EXPIRY_TAG] for item in own} == {format_time(EXPIRES)}
    assert len(own) >= 6
    assert read_journal(kept).run.expires == EXPIRES


def test_its_key_is_for_its_owner_alone(kept: Path) -> None:
    assert kept.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" not in kept.read_text()


def test_a_later_build_goes_on_and_cleans_up(connection: CloudConnection, template: Template, kept: Path) -> None:
    with gone_on(connection, template, kept) as build:
        provisioned = build.resume_provisioned(read_journal(kept))
        assert provisioned.machine.session.run("cat /var/www/html/index.html").stdout == b"<h1>verified</h1>\n"
        captured = build.capture(provisioned, PASSED)
        build.publish(captured, build.deploy(captured), PASSED)
    assert not [one for one in everything(connection) if kept.stem in one]
    assert list(kept.parent.glob(f"{kept.stem}*")) == []


def test_a_machine_that_is_off_is_booted(connection: CloudConnection, template: Template, tmp_path: Path) -> None:
    with begun(connection, template, tmp_path) as (build, run):
        build.provision(build.preflight())
        assert not build.keep(EXPIRES, stays_on=False).running
    path = tmp_path / f"{run.id}.jsonl"
    with gone_on(connection, template, path) as build:
        assert build.resume_provisioned(read_journal(path)).machine.session.run("hostname").exit_code == 0


def test_a_candidate_is_deployed_again(connection: CloudConnection, template: Template, tmp_path: Path) -> None:
    with begun(connection, template, tmp_path) as (build, run):
        captured = build.capture(build.provision(build.preflight()), PASSED)
        build.deploy(captured)
        assert build.keep(EXPIRES).running is False
    path = tmp_path / f"{run.id}.jsonl"
    with gone_on(connection, template, path) as build:
        again = build.resume_captured(read_journal(path))
        assert again.id == captured.id
        assert build.publish(again, build.deploy(again), PASSED).ids == (captured.id,)
    assert not [one for one in everything(connection) if run.id in one]


def test_a_tested_candidate_is_published(connection: CloudConnection, template: Template, tmp_path: Path) -> None:
    with begun(connection, template, tmp_path) as (build, run):
        captured = build.capture(build.provision(build.preflight()), PASSED)
        build.deploy(captured)
    path = tmp_path / f"{run.id}.jsonl"
    with gone_on(connection, template, path) as build:
        again = build.resume_captured(read_journal(path))
        assert build.publish(again, build.resume_deployed(again), PASSED).ids == (captured.id,)
    assert not [one for one in everything(connection) if run.id in one]


def test_what_is_gone_is_told(connection: CloudConnection, template: Template, kept: Path) -> None:
    record = read_journal(kept)
    with gone_on(connection, template, kept) as build:
        connection.resources.resource_groups.begin_delete(record.run.names.resource_group).result()
        with pytest.raises(MachineError, match=rf"the machine 'vi-{kept.stem}-vm' that run {kept.stem} kept is gone"):
            build.resume_provisioned(record)


def test_a_run_that_did_not_get_so_far_is_told(connection: CloudConnection, template: Template, kept: Path) -> None:
    with (
        gone_on(connection, template, kept) as build,
        pytest.raises(VerifiedImagesError, match="cannot be gone on with: no image was captured"),
    ):
        build.resume_captured(read_journal(kept))
