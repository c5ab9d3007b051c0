"""What a killed run has left is found and removed; what is not its own, or published, stays."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_azure import everything, make_template, start_local_azure
from verified_images import reaping
from verified_images.cloud.operations import Arm
from verified_images.cloud.tagged import list_tagged
from verified_images.journal import Journal, Target, read_journal
from verified_images.naming import Run, new_run
from verified_images.pipeline import Build
from verified_images.reaping import Choice, find_leftovers, reap
from verified_images.reports.verdict import Verdict
from verified_images.stages.cleanup import close_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.reaping import Findings

PASSED = Verdict(passed=True, tests=1)
ALL: dict[str, Any] = {"gallery": {"resource_group": "images", "gallery": "golden", "definition": "web"}}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudConnection]:
    """A local Azure for this file."""
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (_, connection):
        yield connection


@contextmanager
def abandoned_build(connection: CloudConnection, folder: Path, run: Run) -> Iterator[Build]:
    """Open a build that nobody cleans up: all that is left of its process is the journal."""
    target = Target(connection.name, connection.subscription_id, connection.endpoint)
    journal = Journal.open(run, folder / "runs", target=target)
    build = Build(make_template(folder, image=ALL), connection, run, journal=journal, output=_Silent())
    try:
        yield build
    finally:
        close_sessions(build._context)
        journal.close()


class _Silent:
    def step(self, message: str) -> None:
        pass

    def text(self, chunk: str) -> None:
        pass


def past_run(hours: int = 24) -> Run:
    return new_run("web", owner="ada", now=datetime.now(UTC) - timedelta(hours=hours))


def find(connection: CloudConnection, folder: Path | None, choice: Choice | None = None) -> Findings:
    records = [read_journal(path) for path in (folder / "runs").glob("*.jsonl")] if folder else []
    return find_leftovers(arm_of(connection), records, choice or Choice(), datetime.now(UTC))


def arm_of(connection: CloudConnection) -> Arm:
    return Arm(connection, lambda _: None)


@pytest.fixture(params=["by its journal", "by its tags"])
def journals(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "by its journal" else None


def test_what_a_run_has_left_is_removed(connection: CloudConnection, tmp_path: Path, journals: Path | None) -> None:
    before = everything(connection)
    run = past_run()
    with abandoned_build(connection, tmp_path, run) as build:
        captured = build.capture(build.provision(build.preflight()), PASSED)
        build.deploy(captured)
    assert len(everything(connection)) > len(before)

    [leftover] = find(connection, journals).ripe
    result = reap(arm_of(connection), leftover)

    assert (leftover.run, leftover.spec, leftover.owner) == (run.id, "web", "ada")
    assert [one.rsplit("/", 2)[-2] for one in result.removed] == [
        "virtualMachineScaleSets",
        "versions",
        "resourceGroups",
    ]
    assert (result.left, result.errors) == ((), ())
    assert everything(connection) == before
    assert find(connection, journals).ripe == ()
    assert (list((tmp_path / "runs").iterdir()) == []) is (journals is not None)


def test_a_published_image_is_never_reaped(connection: CloudConnection, tmp_path: Path) -> None:
    run = past_run()
    with abandoned_build(connection, tmp_path, run) as build:
        captured = build.capture(build.provision(build.preflight()), PASSED)
        published = build.publish(captured, build.deploy(captured), PASSED)

    [leftover] = find(connection, tmp_path).ripe
    result = reap(arm_of(connection), leftover)

    assert not result.errors
    assert not result.left
    version = connection.compute.gallery_image_versions.get("images", "golden", "web", published.version or "")
    assert version["tags"]["vi-verdict"] == "verified"


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (Choice(), "it expires at "),
        (Choice(older_than=timedelta(hours=3)), "it was made at "),
        (Choice(runs=frozenset({"another"})), "it was not asked for"),
    ],
)
def test_a_run_that_may_go_on_elsewhere_is_left_alone(
    connection: CloudConnection, tmp_path: Path, choice: Choice, reason: str
) -> None:
    run = past_run(hours=2)
    connection.resources.resource_groups.create_or_update("vi-young", {"location": "westeurope", "tags": run.tags})

    findings = find(connection, tmp_path / "nowhere", choice)

    assert run.id not in {leftover.run for leftover in findings.ripe}
    assert any(leftover.run == run.id and why.startswith(reason) for leftover, why in findings.refused)
    [mine] = find(connection, tmp_path / "nowhere", Choice(runs=frozenset({run.id}))).ripe
    assert reap(arm_of(connection), mine).removed == (mine.ids[0],)


def test_a_run_that_goes_on_here_is_left_alone_even_when_named(connection: CloudConnection, tmp_path: Path) -> None:
    run = past_run()
    target = Target(connection.name, connection.subscription_id, connection.endpoint)
    with Journal.open(run, tmp_path / "runs", target=target) as journal:
        journal.planned("disk", group_of(connection, "any") + "/providers/Microsoft.Compute/disks/d")

        findings = find(connection, tmp_path, Choice(runs=frozenset({run.id})))

    assert [why for leftover, why in findings.refused if leftover.run == run.id] == ["the run is still going on"]


def test_what_somebody_else_has_made_under_a_planned_name_stays(connection: CloudConnection, tmp_path: Path) -> None:
    groups, run = connection.resources.resource_groups, past_run()
    groups.create_or_update("theirs", {"location": "westeurope", "tags": {"vi-run": "somebody"}})
    disks = connection.compute.disks
    body: Any = {
        "location": "westeurope",
        "tags": run.tags,
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1},
    }
    disks.begin_create_or_update("theirs", "ours", body).result()
    untagged: Any = {**body, "tags": {}}
    disks.begin_create_or_update("theirs", "alien", untagged).result()
    target = Target(connection.name, connection.subscription_id, connection.endpoint)
    with Journal.open(run, tmp_path / "runs", target=target) as journal:
        for name in ("ours", "alien", "never-made"):
            journal.planned("disk", f"{group_of(connection, 'theirs')}/providers/Microsoft.Compute/disks/{name}")
        journal.planned("resource group", group_of(connection, "theirs"))

    [leftover] = find(connection, tmp_path).ripe
    result = reap(arm_of(connection), leftover)

    assert [one.rpartition("/")[2] for one in result.removed] == ["ours"]
    assert [disk["name"] for disk in disks.list_by_resource_group("theirs")] == ["alien"]
    assert list((tmp_path / "runs").iterdir()) == []
    groups.begin_delete("theirs").result()


def test_tags_that_no_run_has_written_are_told_of(connection: CloudConnection) -> None:
    groups = connection.resources.resource_groups
    groups.create_or_update(
        "odd", {"location": "westeurope", "tags": {"vi-run": "oddrun", "vi-expires": "soon", "vi-created": "?"}}
    )

    findings = find(connection, None)

    assert findings.unreadable == (
        "run oddrun is left alone: its tag vi-created is '?', which is no time that verified-images wrote",
    )
    groups.begin_delete("odd").result()


def test_what_a_policy_has_given_our_tags_goes_with_its_group(
    connection: CloudConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = past_run()
    body: Any = {"location": "westeurope", "tags": run.tags}
    connection.resources.resource_groups.create_or_update("ours", body)
    identity = f"{group_of(connection, 'ours')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/inherits"
    connection.resources.resources.begin_create_or_update_by_id(identity, body, api_version="2023-01-31").result()
    arm = arm_of(connection)
    listed = list_tagged(arm, "vi-run")
    assert identity in {item.id for item in listed}

    [leftover] = [each for each in find(connection, tmp_path / "nowhere").ripe if each.run == run.id]
    lagging = [*listed]
    monkeypatch.setattr(reaping, "list_tagged", lambda *_: [item for item in lagging if item.id != identity])
    result = reap(arm, leftover)

    assert result.removed == (group_of(connection, "ours"),)
    assert result.left == ()
    assert not connection.resources.resource_groups.check_existence("ours")


def test_what_is_in_nothing_of_ours_is_told_of(connection: CloudConnection, tmp_path: Path) -> None:
    run = past_run()
    connection.resources.resource_groups.create_or_update("other", {"location": "westeurope"})
    body: Any = {"location": "westeurope", "tags": run.tags}
    identity = f"{group_of(connection, 'other')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/copied"
    connection.resources.resources.begin_create_or_update_by_id(identity, body, api_version="2023-01-31").result()
    assert find(connection, tmp_path / "nowhere").unreadable == (
        f"run {run.id} is left alone: '{identity}' is of no type that builds make",
    )
    connection.resources.resource_groups.begin_delete("other").result()


def group_of(connection: CloudConnection, name: str) -> str:
    return f"/subscriptions/{connection.subscription_id}/resourceGroups/{name}"
