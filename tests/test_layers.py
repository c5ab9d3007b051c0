"""Layers, on the local Azure with machines that answer in milliseconds: what is done already is not done again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError

from tests.interruptions import Break, connected_through
from tests.local_azure import Told, everything, make_template, opened_build, start_local_azure
from verified_images.cloud.operations import Arm
from verified_images.errors import ProvisionerError
from verified_images.reaping import Choice, find_leftovers, reap
from verified_images.reports.verdict import Verdict
from verified_images.stages import layers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection

PASSED = Verdict(passed=True, tests=1)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudConnection]:
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (_, connection):
        yield connection


@pytest.fixture
def connection(azure: CloudConnection) -> Iterator[CloudConnection]:
    """A local Azure without layers, for each test."""
    yield azure
    if azure.resources.resource_groups.check_existence(layers.GROUP):
        azure.resources.resource_groups.begin_delete(layers.GROUP).result()


def append(text: str) -> dict[str, Any]:
    """Return a provisioner that adds a line to a file, so that one can see how often it ran."""
    return {"shell": {"inline": [f"echo {text} >>/etc/done"], "sudo": True}}


def done_on_machine(
    connection: CloudConnection, folder: Path, *provisioners: dict[str, Any], told: Told | None = None, **parts: object
) -> str:
    """Build the machine with layers, and return what its provisioners have done to it."""
    template = make_template(folder, provisioners=provisioners, **parts)
    with opened_build(connection, template, folder, told=told, layers=True) as build:
        return contents(build.provision(build.preflight()).machine.session)


def contents(session: Any) -> str:  # noqa: ANN401 - a session
    return str(session.run("cat /etc/done").stdout.decode())


def snapshots(connection: CloudConnection) -> list[Any]:
    found = connection.compute.snapshots.list_by_resource_group(layers.GROUP)
    return sorted(found, key=lambda each: str(each["tags"]["vi-created"]))


def provisioned(told: Told) -> list[str]:
    return [step for step in told.steps if step.startswith("provisioner ") and " of " in step]


def test_what_was_provisioned_before_is_not_provisioned_again(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"), append("two"))
    told = Told()
    assert done_on_machine(connection, tmp_path, append("one"), append("two"), told=told) == "one\ntwo\n"
    assert provisioned(told) == []
    assert "beginning with what was kept after provisioner 2" in told.steps


def test_a_changed_provisioner_runs_again_with_those_that_follow(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"), append("two"), append("three"))
    told = Told()
    done = done_on_machine(connection, tmp_path, append("one"), append("2"), append("three"), told=told)
    assert done == "one\n2\nthree\n"
    assert provisioned(told) == ["provisioner 2 of 3: shell", "provisioner 3 of 3: shell"]


def test_a_changed_source_or_builder_begins_anew(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"))
    told = Told()
    builder = {**make_template(tmp_path).builder.model_dump(), "custom_data": "#cloud-config\n"}
    assert done_on_machine(connection, tmp_path, append("one"), told=told, builder=builder) == "one\n"
    assert len(provisioned(told)) == 1


def test_a_build_without_layers_neither_uses_nor_leaves_one(connection: CloudConnection, tmp_path: Path) -> None:
    before = everything(connection)
    template = make_template(tmp_path, provisioners=[append("one")])
    with opened_build(connection, template, tmp_path) as build:
        build.provision(build.preflight())
    assert everything(connection) == before
    done_on_machine(connection, tmp_path, append("one"))
    told = Told()
    with opened_build(connection, template, tmp_path, told=told) as build:
        assert contents(build.provision(build.preflight()).machine.session) == "one\n"
    assert len(provisioned(told)) == 1


def test_a_machine_from_a_layer_lets_only_its_own_build_in(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"))
    template = make_template(tmp_path, provisioners=[append("one")])
    with opened_build(connection, template, tmp_path, layers=True) as build:
        session = build.provision(build.preflight()).machine.session
        keys = session.run("cat ~/.ssh/authorized_keys; stat -c %a ~/.ssh ~/.ssh/authorized_keys").stdout.decode()
    assert keys.count("ssh-ed25519") == 1
    assert keys.splitlines()[1:] == ["700", "600"]


def test_what_a_failed_build_has_done_well_is_kept(connection: CloudConnection, tmp_path: Path) -> None:
    failing = {"shell": {"inline": ["exit 7"]}}
    with pytest.raises(ProvisionerError):
        done_on_machine(connection, tmp_path, append("one"), failing)
    told = Told()
    assert done_on_machine(connection, tmp_path, append("one"), append("two"), told=told) == "one\ntwo\n"
    assert provisioned(told) == ["provisioner 2 of 2: shell"]


def test_an_image_is_captured_and_tested_from_a_layer(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"))
    smoke = {"instances": 1, "timeout": 60}
    template = make_template(tmp_path, provisioners=[append("one")], smoke=smoke)
    with opened_build(connection, template, tmp_path, layers=True) as build:
        scale_set = build.deploy(build.capture(build.provision(build.preflight()), PASSED))
        session = scale_set.instances[0].session
        assert contents(session) == "one\n"
        assert session.run("id packer").exit_code != 0


def test_what_acts_elsewhere_is_done_each_time(connection: CloudConnection, tmp_path: Path) -> None:
    here = {"shell-local": {"inline": [f"echo again >>{tmp_path}/here"]}}
    for _ in range(2):
        done_on_machine(connection, tmp_path, append("one"), here, append("two"))
    assert (tmp_path / "here").read_text() == "again\nagain\n"
    assert len(snapshots(connection)) == 1


def test_a_restart_in_the_middle_is_no_hindrance(connection: CloudConnection, tmp_path: Path) -> None:
    restart = {"shell": {"inline": ["reboot"], "sudo": True, "expect_disconnect": True}}
    for _ in range(2):
        assert done_on_machine(connection, tmp_path, append("one"), restart, append("two")) == "one\ntwo\n"
    assert len(snapshots(connection)) == 3


def test_a_layer_that_cannot_be_kept_fails_no_build(connection: CloudConnection, tmp_path: Path) -> None:
    told = Told()
    lost = Break("PUT", "snapshots", sent=False, error=ServiceRequestError("reset by peer"), always=True)
    with connected_through(connection, lost) as losing:
        assert done_on_machine(losing, tmp_path, append("one"), told=told) == "one\n"
    assert any(step.startswith("no layer is kept after provisioner 1: create snapshot") for step in told.steps)


def test_layers_expire_and_are_reaped_like_what_runs_leave(connection: CloudConnection, tmp_path: Path) -> None:
    done_on_machine(connection, tmp_path, append("one"), append("two"))
    arm, now = Arm(connection, lambda _: None), datetime.now(UTC)
    findings = find_leftovers(arm, [], Choice(), now)
    assert findings.ripe == ()
    assert {leftover.spec for leftover, _ in findings.refused} == {"web"}
    ripe = find_leftovers(arm, [], Choice(), now + layers.LIFETIME + timedelta(minutes=1)).ripe
    assert len(ripe) == 2
    for leftover in ripe:
        assert not reap(arm, leftover).errors
    assert snapshots(connection) == []


def test_one_that_has_expired_is_made_anew(
    connection: CloudConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LIFETIME", timedelta(seconds=-1))
    done_on_machine(connection, tmp_path, append("one"))
    monkeypatch.undo()
    told = Told()
    done_on_machine(connection, tmp_path, append("one"), told=told)
    assert len(provisioned(told)) == 1
    assert snapshots(connection)[0]["tags"]["vi-expires"] > f"{datetime.now(UTC):%Y-%m-%dT}"


def test_those_that_have_expired_are_removed_by_the_next_build_of_another_template(
    connection: CloudConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LIFETIME", timedelta(seconds=-1))
    done_on_machine(connection, tmp_path, append("one"))
    monkeypatch.undo()
    [expired] = snapshots(connection)
    told = Told()
    lost = Break("DELETE", "snapshots", sent=False, error=ServiceRequestError("reset by peer"), always=True)
    with connected_through(connection, lost) as losing:
        done_on_machine(losing, tmp_path, append("other"), told=told)
    assert any(step.startswith("a layer that has expired is left") for step in told.steps)
    done_on_machine(connection, tmp_path, append("other"))
    assert expired.id not in {each.id for each in snapshots(connection)}


def test_the_one_not_used_for_longest_makes_room(
    connection: CloudConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "MOST", 2)
    done_on_machine(connection, tmp_path, append("one"), append("two"), append("three"))
    assert len(snapshots(connection)) == 2


def test_builds_with_the_same_provisioners_share_their_layers(connection: CloudConnection, tmp_path: Path) -> None:
    template = make_template(tmp_path, provisioners=[append("one")])
    with (
        opened_build(connection, template, tmp_path, layers=True) as first,
        opened_build(connection, template, tmp_path, layers=True) as second,
    ):
        plans = first.preflight(), second.preflight()
        assert contents(first.provision(plans[0]).machine.session) == "one\n"
        assert contents(second.provision(plans[1]).machine.session) == "one\n"
    assert len(snapshots(connection)) == 1
