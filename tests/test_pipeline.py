"""The whole path, on the local Azure with machines that answer in milliseconds."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError
from pydantic import SecretStr

from tests.interruptions import Break, RecordingTransport, connected_through
from tests.local_azure import (
    GALLERY,
    MANAGED,
    PROVISIONERS,
    Told,
    everything,
    make_template,
    opened_build,
    start_local_azure,
)
from verified_images import pipeline
from verified_images.errors import CloudError, CommandError, GateClosedError, ProvisionerError
from verified_images.naming import Run
from verified_images.reports.verdict import Verdict
from verified_images.stages import evidence
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.pipeline import Build
    from verified_images.stages.publish import PublishedImage
    from verified_images.stages.scale_set import ScaleSet
    from verified_images.templates.model import Template

PASSED = Verdict(passed=True, tests=3)
FAILED = Verdict(passed=False, reasons=("test_serves_the_page[web-1] failed",))
BOTH = {"gallery": GALLERY, "managed": MANAGED, "tags": {"team": "web"}}
PAGE = "<h1>verified</h1>\n"


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
def nothing_left_behind(connection: CloudConnection, folder: Path) -> Iterator[None]:
    """Check that there is afterwards what there was before, and no journal."""
    before = everything(connection)
    yield
    assert everything(connection) == before
    assert list((folder / "runs").iterdir()) == []


def deploy(build: Build) -> tuple[Any, ScaleSet]:
    captured = build.capture(build.provision(build.preflight()), PASSED)
    return captured, build.deploy(captured)


def publish(build: Build) -> PublishedImage:
    captured, scale_set = deploy(build)
    return build.publish(captured, scale_set, PASSED)


def test_an_image_is_built_tested_and_published(connection: CloudConnection, tmp_path: Path) -> None:
    before, told = everything(connection), Told()
    with opened_build(connection, make_template(tmp_path, image=BOTH), tmp_path, told=told) as build:
        provisioned = build.provision(build.preflight())
        page = provisioned.machine.session.run("cat /var/www/html/index.html")
        assert page.stdout.decode() == PAGE
        assert provisioned.source_version == "0.20250814.2204"
        captured = build.capture(provisioned, PASSED)
        scale_set = build.deploy(captured)
        assert [instance.get().text for instance in scale_set.instances] == [PAGE, PAGE]
        assert scale_set.get("/").text == PAGE
        assert scale_set.get("/missing").status == 404
        published = build.publish(captured, scale_set, PASSED)
    after = everything(connection)
    new = {resource_id: after[resource_id] for resource_id in after.keys() - before.keys()}
    assert sorted(new.values()) == ["Microsoft.Compute/galleries/images/versions", "Microsoft.Compute/images"]
    assert {resource_id.lower() for resource_id in new} == {image_id.lower() for image_id in published.ids}
    assert published.regions == ("westeurope",)
    assert list((tmp_path / "runs").iterdir()) == []
    version = connection.compute.gallery_image_versions.get("images", "golden", "web", published.version or "")
    assert version["tags"]["vi-verdict"] == "verified"
    assert version["properties"]["publishingProfile"]["excludeFromLatest"] is False
    assert "apt-get" not in "".join(told.steps)
    assert "Setting up nginx" in "".join(told.texts)
    assert "cannot open" not in "".join(told.texts)
    connection.compute.images.begin_delete("images", "web-managed").result()


def test_what_comes_after_a_restart_runs_in_the_next_boot(connection: CloudConnection, tmp_path: Path) -> None:
    boot_id = "/proc/sys/kernel/random/boot_id"
    restart = {"inline": [f"cat {boot_id} >/var/tmp/before", "reboot"], "sudo": True, "expect_disconnect": True}
    look = {"inline": [f"! cmp {boot_id} /var/tmp/before"]}
    template = make_template(tmp_path, provisioners=[{"shell": restart}, {"shell": look}])
    with nothing_left_behind(connection, tmp_path), opened_build(connection, template, tmp_path) as build:
        build.provision(build.preflight())


def test_an_image_is_tested_in_a_flexible_scale_set(connection: CloudConnection, tmp_path: Path) -> None:
    smoke = {"instances": 2, "orchestration": "flexible", "port": 80, "path": "/", "timeout": 60}
    template = make_template(tmp_path, smoke=smoke)
    with nothing_left_behind(connection, tmp_path), opened_build(connection, template, tmp_path) as build:
        scale_set = deploy(build)[1]
        assert [instance.get().text for instance in scale_set.instances] == [PAGE, PAGE]
        assert scale_set.get("/").text == PAGE
        assert ask(scale_set, "hostname") == [instance.host_name for instance in scale_set.instances]
        assert {instance.id.split("/")[-2] for instance in scale_set.instances} == {"virtualMachines"}
        assert set(build.read_serial_logs()) >= {instance.name for instance in scale_set.instances}


@pytest.fixture(scope="module")
def booted(connection: CloudConnection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaleSet]:
    """A scale set of two instances, for all tests of what an instance is like."""
    folder = tmp_path_factory.mktemp("booted")
    dirt = {"inline": ["touch /tmp/left /root/.bash_history /home/packer/.bash_history", "echo x >/var/log/run.log"]}
    provisioners = (*PROVISIONERS, {"shell": {**dirt, "sudo": True}})
    with opened_build(connection, make_template(folder, provisioners=provisioners), folder) as build:
        yield deploy(build)[1]


def ask(scale_set: ScaleSet, command: str) -> list[str]:
    """Return what a command, run as root, prints on each instance."""
    return [instance.session.run(command, sudo=True).stdout.decode().strip() for instance in scale_set.instances]


@pytest.mark.parametrize(
    "what",
    ["hostname", "cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub", "cat /var/lib/cloud/data/instance-id"],
)
def test_instances_share_no_identity(booted: ScaleSet, what: str) -> None:
    told = ask(booted, what)
    assert len(set(told)) == 2
    assert all(told)


def test_instances_call_themselves_what_azure_calls_them(booted: ScaleSet) -> None:
    assert ask(booted, "hostname") == [instance.host_name for instance in booted.instances]
    assert [instance.index for instance in booted.instances] == [0, 1]


@pytest.mark.parametrize(
    "residue",
    [
        "grep -r packer /etc/passwd /etc/shadow /etc/group /etc/sudoers.d",
        "ls -d /home/packer",
        "find /home /root -name '*_history'",
        "cat /root/.ssh/authorized_keys",
        "ls /tmp/left /var/log/run.log | xargs cat",
        "grep -rl vi-run /etc /root /home",
    ],
)
def test_instances_have_nothing_of_the_build(booted: ScaleSet, residue: str) -> None:
    assert ask(booted, f"{residue} 2>/dev/null") == ["", ""]


def test_a_failed_machine_test_closes_the_gate_of_capture(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    with nothing_left_behind(connection, tmp_path), opened_build(connection, template, tmp_path) as build:
        provisioned = build.provision(build.preflight())
        with pytest.raises(GateClosedError, match=r"capture not done: test_serves_the_page\[web-1\] failed"):
            build.capture(provisioned, FAILED)


def sent_paths(connection: CloudConnection) -> list[str]:
    """Return the paths of what was sent through a recording connection, without its group."""
    assert isinstance(connection.transport, RecordingTransport)
    return [path.partition("/providers/")[2] for _, path, _ in connection.transport.bodies]


@contextmanager
def recorded_build(
    connection: CloudConnection, template: Template, folder: Path
) -> Iterator[tuple[CloudConnection, Build]]:
    """Open a build that leaves nothing behind, with the connection that records what it sends."""
    with (
        nothing_left_behind(connection, folder),
        connected_through(connection) as recorded,
        opened_build(recorded, template, folder) as build,
    ):
        yield recorded, build


def test_the_scale_sets_network_is_made_while_the_image_is_captured(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    with recorded_build(connection, template, tmp_path) as (recorded, build):
        captured = build.capture(build.provision(build.preflight()), PASSED)
        before = sent_paths(recorded)
        build.deploy(captured)
    assert sum("/loadBalancers/" in path for path in before) == 1
    assert [path for path in sent_paths(recorded) if "loadBalancers" in path] == [
        path for path in before if "loadBalancers" in path
    ]


def test_no_network_is_made_for_a_scale_set_that_does_not_come(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    with recorded_build(connection, template, tmp_path) as (recorded, build):
        build.capture(build.provision(build.preflight()), PASSED, deploys=False)
        assert not any("loadBalancers" in path for path in sent_paths(recorded))


def test_a_network_that_cannot_be_made_is_the_deployments_failure(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    lost = Break("PUT", r"loadBalancers/\S+$", sent=False, error=ServiceRequestError("reset by peer"), always=True)
    with (
        nothing_left_behind(connection, tmp_path),
        connected_through(connection, lost) as losing,
        opened_build(losing, template, tmp_path) as build,
    ):
        captured = build.capture(build.provision(build.preflight()), PASSED)
        with pytest.raises(CloudError, match=r"create load balancer 'vi-\w+-lb' failed: reset by peer"):
            build.deploy(captured)


def test_a_capture_that_fails_leaves_nothing_of_what_was_prepared(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    lost = Break("POST", "deallocate$", sent=False, error=ServiceRequestError("reset by peer"), always=True)
    with (
        nothing_left_behind(connection, tmp_path),
        connected_through(connection, lost) as losing,
        pytest.raises(CloudError, match="deallocate virtual machine"),
        opened_build(losing, template, tmp_path) as build,
    ):
        build.capture(build.provision(build.preflight()), PASSED)


def test_a_failed_smoke_test_takes_the_candidate_away(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    with nothing_left_behind(connection, tmp_path), opened_build(connection, template, tmp_path) as build:
        captured, scale_set = deploy(build)
        assert captured.gallery_version in everything(connection)
        with pytest.raises(GateClosedError, match=r"publish not done: test_serves_the_page\[web-1\] failed"):
            build.publish(captured, scale_set, FAILED)


def test_a_failed_provisioner_ends_the_build(connection: CloudConnection, tmp_path: Path) -> None:
    template = make_template(tmp_path, provisioners=({"shell": {"inline": ["echo so >&2; exit 7"]}},))
    with (
        nothing_left_behind(connection, tmp_path),
        pytest.raises(ProvisionerError) as caught,
        opened_build(connection, template, tmp_path) as build,
    ):
        publish(build)
    assert (caught.value.kind, caught.value.index, caught.value.exit_code) == ("shell", 1, 7)


def test_a_user_that_cannot_be_removed_is_never_captured(connection: CloudConnection, tmp_path: Path) -> None:
    # The agent passes over the user, and ends with 0, when it does not find what the user was made from.
    spoil = [
        "rm /var/lib/waagent/ovf-env.xml",
        "printf '#!/bin/sh\\nexit 8\\n' >/usr/sbin/userdel",
        "chmod +x /usr/sbin/userdel",
    ]
    template = make_template(tmp_path, provisioners=({"shell": {"inline": spoil, "sudo": True}},))
    with (
        nothing_left_behind(connection, tmp_path),
        pytest.raises(CommandError, match="could not be deprovisioned: FAILED: the user packer is still there"),
        opened_build(connection, template, tmp_path) as build,
    ):
        publish(build)


def test_serial_logs_are_evidence(connection: CloudConnection, template: Template, tmp_path: Path) -> None:
    with opened_build(connection, template, tmp_path) as build:
        assert build.read_serial_logs() == {}
        provisioned = build.provision(build.preflight())
        logs = build.read_serial_logs()
        assert list(logs) == [provisioned.machine.name]
        assert "-----BEGIN SSH HOST KEY KEYS-----" in logs[provisioned.machine.name]


def test_a_cloud_that_is_silent_holds_up_no_failure(
    connection: CloudConnection, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "fetch_serial_log", lambda *_: Deadline("an answer", 20.0).sleep(20.0))
    monkeypatch.setattr(pipeline, "EVIDENCE_SECONDS", 0.2)
    with opened_build(connection, template, tmp_path) as build:
        context = build._context
        context.undo.register("machine", context.place.compute_id("virtualMachines", context.run.names.virtual_machine))
        assert build.read_serial_logs() == {}


def test_secrets_are_masked(connection: CloudConnection, tmp_path: Path) -> None:
    told = Told()
    shell = {"inline": ["echo the word is $WORD"], "env": {"WORD": SecretStr("xyzzy-plugh")}}
    template = make_template(tmp_path, provisioners=({"shell": shell},), secrets=(SecretStr("xyzzy-plugh"),))
    with opened_build(connection, template, tmp_path, told=told) as build:
        build.provision(build.preflight())
    assert "the word is ***" in "".join(told.texts)
    assert "xyzzy" not in "".join(told.texts + told.steps)


def test_builds_at_the_same_time_get_versions_of_their_own(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    def build_one(_: int) -> str | None:
        with opened_build(connection, template, tmp_path) as build:
            return publish(build).version

    with ThreadPoolExecutor(3) as pool:
        versions = list(pool.map(build_one, range(3)))
    assert len(set(versions)) == 3


INTERRUPTIONS = [
    ("PUT", r"resourcegroups/vi-web-\w+$"),
    ("PUT", r"virtualMachines/vi-\w+-vm$"),
    ("PUT", r"publicIPAddresses/vi-\w+-ip$"),
    ("POST", "deallocate$"),
    ("PUT", r"loadBalancers/vi-\w+-lb$"),
    ("PUT", r"versions/[\d.]+$"),
    ("PUT", r"virtualMachineScaleSets/vi-\w+-ss$"),
    ("PATCH", r"versions/[\d.]+$"),
]


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("where", INTERRUPTIONS, ids=" ".join)
def test_ctrl_c_leaves_nothing(
    connection: CloudConnection, template: Template, tmp_path: Path, where: tuple[str, str], *, sent: bool
) -> None:
    method, path = where
    with (
        nothing_left_behind(connection, tmp_path),
        connected_through(connection, Break(method, path, sent, KeyboardInterrupt())) as interrupted,
        pytest.raises(KeyboardInterrupt),
        opened_build(interrupted, template, tmp_path) as build,
    ):
        publish(build)


def test_a_lost_connection_is_named_and_leaves_nothing(
    connection: CloudConnection, template: Template, tmp_path: Path
) -> None:
    lost = Break("POST", "generalize$", sent=True, error=ServiceRequestError("reset by peer"), always=True)
    with (
        nothing_left_behind(connection, tmp_path),
        connected_through(connection, lost) as losing,
        pytest.raises(CloudError, match=r"generalize virtual machine 'vi-\w+-vm' failed: reset by peer"),
        opened_build(losing, template, tmp_path) as build,
    ):
        publish(build)


def test_everything_that_is_sent(
    connection: CloudConnection, tmp_path: Path, golden: Callable[[str, Any], None]
) -> None:
    created = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    run = Run("abcdefgh", "web", "ada", created, created + timedelta(hours=8))
    template = make_template(tmp_path, image={"gallery": {**GALLERY, "version": "9.0.0"}, "managed": MANAGED})
    with (
        connected_through(connection) as recorded,
        opened_build(recorded, template, tmp_path, run=run) as build,
    ):
        publish(build)
    assert isinstance(recorded.transport, RecordingTransport)
    # Much is sent at the same time, and the serial log is read until it tells enough.
    once = {json.dumps(sent): sent for sent in (tidied(*each) for each in recorded.transport.bodies)}
    golden("pipeline", sorted(once.values(), key=lambda sent: sent["path"]))
    connection.compute.images.begin_delete("images", "web-managed").result()
    connection.compute.gallery_image_versions.begin_delete("images", "golden", "web", "9.0.0").result()


def tidied(method: str, path: str, body: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a request without what differs from run to run."""
    text = json.dumps({"method": method, "path": path, "body": body})
    text = re.sub(r"/subscriptions/[0-9a-f-]{36}", "/subscriptions/SUBSCRIPTION", text)
    text = re.sub(r"ssh-ed25519 \S+", "ssh-ed25519 KEY", text)
    return json.loads(re.sub(r'("vi-verified": )"[^"]+"', r'\1"NOW"', text))
