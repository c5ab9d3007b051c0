"""What a template can say beside the usual, through the whole pipeline on the local Azure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.local_azure import (
    BUILDER,
    GALLERY,
    LOCATION,
    MANAGED,
    Told,
    everything,
    make_template,
    opened_build,
    start_local_azure,
)
from verified_images.errors import (
    GateClosedError,
    PostProcessorError,
    PreflightError,
    ProvisionerError,
    UnreachableError,
)
from verified_images.reports.verdict import Verdict
from verified_images.stages.publish import PublishedImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.pipeline import Build
    from verified_images.templates.model import Template

PASSED = Verdict(passed=True, tests=3)
SMALL = {"instances": 1, "timeout": 60}
NOTHING: tuple[Any, ...] = ()


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudConnection]:
    """A local Azure for this file."""
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (_, connection):
        yield connection


def small_template(folder: Path, **parts: Any) -> Template:  # noqa: ANN401 - any part of a template
    return make_template(folder, **{"provisioners": NOTHING, "smoke": SMALL, **parts})


def publish(build: Build) -> PublishedImage:
    captured = build.capture(build.provision(build.preflight()), PASSED)
    return build.publish(captured, build.deploy(captured), PASSED)


def test_post_processors_know_the_published_image(connection: CloudConnection, tmp_path: Path) -> None:
    told = Told()
    template = small_template(
        tmp_path,
        secrets=(SecretStr("xyzzy-plugh"),),
        post_processors=[
            {"manifest": {"output": "out/manifest.json", "custom_data": {"team": "web", "word": "xyzzy-plugh"}}},
            {"checksum": {}},
            {"shell_local": {"inline": ['echo "$VI_IMAGE_IDS" >ids', "echo $WORD"], "env": {"WORD": "xyzzy-plugh"}}},
        ],
    )
    with opened_build(connection, template, tmp_path, told=told) as build:
        published = publish(build)
        build.post_process(published)
        build.post_process(published)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [record["artifact_id"] for record in manifest["builds"]] == [published.ids[0]] * 2
    assert manifest["builds"][0] | {"build_time": 0} == {
        "name": "web",
        "builder_type": "azure-arm",
        "build_time": 0,
        "files": None,
        "artifact_id": published.ids[0],
        "packer_run_uuid": manifest["last_run_uuid"],
        "custom_data": {"team": "web", "word": "***"},
    }
    assert (tmp_path / "ids").read_text().split() == list(published.ids)
    assert "***" in "".join(told.texts)
    assert "xyzzy" not in "".join((*told.texts, *told.steps))


def test_a_post_processor_that_fails_leaves_the_image_published(connection: CloudConnection, tmp_path: Path) -> None:
    template = small_template(
        tmp_path, post_processors=[{"shell_local": {"inline": ["exit 3"]}}, {"manifest": {"output": "m.json"}}]
    )
    with opened_build(connection, template, tmp_path) as build:
        published = publish(build)
        with pytest.raises(PostProcessorError, match="failed with exit code 3 of 'inline'; the image") as caught:
            build.post_process(published)
    assert (caught.value.kind, caught.value.index) == ("shell-local", 1)
    assert published.ids[0] in everything(connection)
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"builds": 1}'])
def test_a_file_that_is_no_manifest_is_never_replaced(connection: CloudConnection, tmp_path: Path, text: str) -> None:
    file = tmp_path / "packer-manifest.json"
    file.write_text(text)
    image: dict[str, Any] = {"skip": True}
    template = small_template(tmp_path, image=image, post_processors=[{"manifest": {}}])
    with (
        pytest.raises(PostProcessorError, match="move it away"),
        opened_build(connection, template, tmp_path) as build,
    ):
        build.post_process(PublishedImage(("/subscriptions/s/x",), None, ()))
    assert file.read_text() == text


def test_the_error_cleanup_provisioner_runs_when_a_provisioner_failed(
    connection: CloudConnection, tmp_path: Path
) -> None:
    told = Told()
    template = small_template(
        tmp_path,
        provisioners=[{"shell": {"inline": ["exit 7"]}}],
        error_cleanup_provisioner={"shell": {"inline": ["echo collected; exit 9"]}},
    )
    with opened_build(connection, template, tmp_path, told=told) as build:
        with pytest.raises(ProvisionerError) as caught:
            build.provision(build.preflight())
        assert caught.value.exit_code == 7
    assert "collected" in "".join(told.texts)
    assert any(step.startswith("the error-cleanup-provisioner failed too") for step in told.steps)


def test_no_image_is_made_where_none_is_wanted(connection: CloudConnection, tmp_path: Path) -> None:
    before = everything(connection)
    image = {"gallery": {**GALLERY, "definition": "there-is-none"}, "skip": True}
    with opened_build(connection, small_template(tmp_path, image=image), tmp_path) as build:
        provisioned = build.provision(build.preflight())
        with pytest.raises(GateClosedError, match="the template wants no image"):
            build.capture(provisioned, PASSED)
    assert everything(connection) == before


def test_a_version_of_shallow_replication(connection: CloudConnection, tmp_path: Path) -> None:
    template = small_template(tmp_path, image={"gallery": {**GALLERY, "shallow_replication": True}})
    with opened_build(connection, template, tmp_path) as build:
        version = publish(build).version or ""
    made: Any = connection.compute.gallery_image_versions.get("images", "golden", "web", version)
    assert made["properties"]["publishingProfile"]["replicationMode"] == "Shallow"
    assert made["properties"]["publishingProfile"]["excludeFromLatest"] is False


@pytest.fixture
def team_group(connection: CloudConnection) -> Iterator[str]:
    """A resource group of a team, with a network and something that is nobody's but theirs."""
    name = "team"
    connection.resources.resource_groups.create_or_update(name, {"location": LOCATION})
    network: Any = {
        "location": LOCATION,
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
            "subnets": [
                {"name": "build", "properties": {"addressPrefix": "10.9.1.0/24"}},
                {"name": "other", "properties": {"addressPrefix": "10.9.2.0/24"}},
            ],
        },
    }
    connection.network.virtual_networks.begin_create_or_update(name, "hub", network).result()
    yield name
    connection.resources.resource_groups.begin_delete(name).result()


def test_a_group_that_exists_keeps_all_but_what_the_build_made(
    connection: CloudConnection, tmp_path: Path, team_group: str
) -> None:
    builder = {**BUILDER, "resource_group": team_group, "location": "resourcegroup", "data_disk_sizes_gb": [4]}
    before = everything(connection)
    with opened_build(connection, small_template(tmp_path, builder=builder), tmp_path) as build:
        published = publish(build)
        made = everything(connection).keys() - before.keys()
        assert sum(f"/resourceGroups/{team_group}/" in each for each in made) >= 8
    after = everything(connection)
    assert after.keys() - before.keys() == {published.ids[0]}
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_machines_are_in_the_network_of_the_template(
    connection: CloudConnection, tmp_path: Path, team_group: str
) -> None:
    network = {"name": "hub", "subnet": "build"}
    builder = {**BUILDER, "virtual_network": network}
    before = everything(connection)
    with opened_build(connection, small_template(tmp_path, builder=builder), tmp_path) as build:
        provisioned = build.provision(build.preflight())
        assert provisioned.machine.private_address.startswith("10.9.1.")
        captured = build.capture(provisioned, PASSED)
        scale_set = build.deploy(captured)
        assert [one.private_address[:7] for one in scale_set.instances] == ["10.9.1."]
        kinds = [kind.lower() for each, kind in everything(connection).items() if each not in before]
        assert "microsoft.network/virtualnetworks" not in kinds
    assert everything(connection) == before
    assert connection.network.virtual_networks.get(team_group, "hub")["properties"]["subnets"][0]["name"] == "build"


def test_a_private_machine_gets_no_public_address(connection: CloudConnection, tmp_path: Path, team_group: str) -> None:
    # Nobody outside the network reaches it, on the local Azure as on Azure, so that the build comes to the knock.
    network = {"name": "hub", "subnet": "other", "resource_group": team_group}
    builder = {**BUILDER, "virtual_network": network, "public_ip": False, "ssh_timeout": 3}
    with opened_build(connection, small_template(tmp_path, builder=builder), tmp_path) as build:
        with pytest.raises(UnreachableError, match=r"10\.9\.2\.\d+"):
            build.provision(build.preflight())
        assert list(connection.network.public_ip_addresses.list_all()) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"resource_group": "nowhere"}, "builder.resource_group: there is no resource group 'nowhere'"),
        (
            {"resource_group": "nowhere", "location": "resourcegroup"},
            "builder.resource_group: there is no resource group 'nowhere'",
        ),
        ({"virtual_network": {"name": "x"}}, "builder.virtual_network: there is no virtual network 'x' in the sub"),
        ({"virtual_network": {"name": "hub"}}, "builder.virtual_network.subnet: say which subnet of 'hub': build, oth"),
        (
            {"virtual_network": {"name": "hub", "subnet": "a"}},
            "builder.virtual_network.subnet: 'hub' has no subnet 'a'; it has build, other",
        ),
        ({"virtual_network": {"name": "hub"}, "location": "northeurope"}, "'hub' is in 'westeurope', not in"),
    ],
)
def test_a_place_that_does_not_fit_is_found_before_anything_is_made(
    connection: CloudConnection, tmp_path: Path, team_group: str, options: dict[str, Any], problem: str
) -> None:
    assert team_group
    template = small_template(tmp_path, builder={**BUILDER, **options})
    with opened_build(connection, template, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert problem in "\n".join(caught.value.problems)


def test_a_public_address_of_the_basic_sku(connection: CloudConnection, tmp_path: Path) -> None:
    builder = {**BUILDER, "public_ip_sku": "Basic"}
    with opened_build(connection, small_template(tmp_path, builder=builder), tmp_path) as build:
        build.provision(build.preflight())
        (address,) = connection.network.public_ip_addresses.list_all()
        assert address["sku"]["name"] == "Basic"


def test_ssh_is_let_in_and_led_to_at_the_port_of_the_template(connection: CloudConnection, tmp_path: Path) -> None:
    # Nothing listens there on the fake hypervisor's guests, so that the build comes as far as the knock.
    builder = {**BUILDER, "ssh_port": 2222, "ssh_timeout": 3}
    with opened_build(connection, small_template(tmp_path, builder=builder), tmp_path) as build:
        with pytest.raises(UnreachableError, match=":2222"):
            build.provision(build.preflight())
        (group,) = connection.network.network_security_groups.list_all()
        assert [rule["properties"]["destinationPortRange"] for rule in group["properties"]["securityRules"]] == ["2222"]


def test_snapshots_of_the_disks_are_published_beside_the_managed_image(
    connection: CloudConnection, tmp_path: Path
) -> None:
    managed = {**MANAGED, "os_disk_snapshot": "web-os", "data_disk_snapshot_prefix": "web-data-"}
    builder = {**BUILDER, "data_disk_sizes_gb": [4]}
    template = small_template(tmp_path, builder=builder, image={"managed": managed})
    with opened_build(connection, template, tmp_path) as build:
        publish(build)
    snapshots: dict[str, Any] = {item["name"]: item for item in connection.compute.snapshots.list()}
    assert sorted(snapshots) == ["web-data-0", "web-os"]
    assert snapshots["web-data-0"]["properties"]["diskSizeGB"] == 4
    assert {item["tags"]["vi-verdict"] for item in snapshots.values()} == {"verified"}
    assert list((tmp_path / "runs").iterdir()) == []
    connection.compute.images.begin_delete("images", "web-managed").result()
    with opened_build(connection, template, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert len(caught.value.problems) == 2
    for name in snapshots:
        connection.compute.snapshots.begin_delete("images", name).result()
