"""The VHD target, and VHDs as sources: on the local Azure, with the real SDK."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_azure import (
    BUILDER,
    GALLERY,
    GROUP,
    LOCATION,
    Told,
    everything,
    make_template,
    opened_build,
    start_local_azure,
)
from verified_images.cloud.blobs import Container, as_metadata, blob_id, open_container
from verified_images.cloud.disk_access import grant_reading
from verified_images.cloud.groups import create_group
from verified_images.cloud.ids import group_id, resource_id
from verified_images.cloud.operations import Arm
from verified_images.cloud.storage_accounts import StorageAccount, create_account, find_account
from verified_images.emulator.authorization.role_assignments import assign_role
from verified_images.emulator.storage.blob_copies import OPERATION
from verified_images.emulator.timing import Timing
from verified_images.emulator.vhd import FOOTER_SIZE
from verified_images.errors import DeadlineError, PreflightError
from verified_images.naming import new_run
from verified_images.reaping import Leftover, reap
from verified_images.reports.verdict import Verdict
from verified_images.ssh.reach import reach_directly
from verified_images.stages.scale_set import ScaleSet
from verified_images.stages.vhd import vhd_problems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud
    from verified_images.pipeline import Build
    from verified_images.stages.publish import PublishedImage

PASSED = Verdict(passed=True, tests=3, inputs="abc")
VHD = {"resource_group": GROUP, "storage_account": "goldenvhds", "container": "vhds", "name_prefix": "web"}
SMALL = {"instances": 1, "timeout": 60}
MARK = ({"shell": {"inline": ["echo made >$HOME/mark; sudo cp $HOME/mark /etc/mark"]}},)
GIB = 1024**3


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, CloudConnection]]:
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (cloud, connection):
        yield cloud, connection


@pytest.fixture(scope="module")
def connection(azure: tuple[LocalCloud, CloudConnection]) -> CloudConnection:
    return azure[1]


@pytest.fixture(scope="module")
def container(connection: CloudConnection) -> Container:
    arm = Arm(connection, lambda _: None)
    create_account(arm, account_id(connection), LOCATION)
    found = find_account(arm, account_id(connection))
    assert found is not None
    container = open_container(arm, found, "vhds")
    container.create()
    return container


def account_id(connection: CloudConnection, name: str = "goldenvhds") -> str:
    return resource_id(connection.subscription_id, GROUP, "Microsoft.Storage/storageAccounts", name)


def template(folder: Path, **parts: Any) -> Any:  # noqa: ANN401 - parts of a template
    given = {"image": {"vhd": VHD}, "provisioners": MARK, "smoke": SMALL, **parts}
    return make_template(folder, **given)


def publish(build: Build) -> PublishedImage:
    captured = build.capture(build.provision(build.preflight()), PASSED)
    tested = ScaleSet("/subscriptions/s/ss", "ss", captured.id, (), None, reach_directly)
    return build.publish(captured, tested, PASSED)


def names(container: Container) -> list[str]:
    return [name for name, _ in container.list_metadata("")]


def test_the_disks_are_published_as_vhds_and_another_image_is_built_from_one(
    connection: CloudConnection, container: Container, tmp_path: Path
) -> None:
    before, told = everything(connection), Told()
    parts = {
        "builder": {**BUILDER, "data_disk_sizes_gb": [1], "data_disk_luns": [3]},
        "image": {"vhd": VHD, "tags": {"Größe 1": "groß"}},
        "post_processors": [{"manifest": {}}],
    }
    with opened_build(connection, template(tmp_path, **parts), tmp_path, told=told) as build:
        published = publish(build)
        build.post_process(published)
        assert list(build.find_published("abc")) == [published.ids[0]]
        assert list(build.find_published("other")) == []
        run = build._context.run.id
    unique = uuid.uuid5(uuid.NAMESPACE_OID, run)
    assert names(container) == [f"web-dataDisk-3.{unique}.vhd", f"web-osDisk.{unique}.vhd"]
    assert published.ids == tuple(container.url_of(name) for name in reversed(names(container)))
    assert published.version is None
    assert json.loads((tmp_path / "packer-manifest.json").read_text())["builds"][0]["artifact_id"] == published.ids[0]
    facts = container.find(names(container)[1])
    assert facts is not None
    assert facts.size == 30 * GIB + FOOTER_SIZE
    assert facts.metadata["vi_verdict"] == "verified"
    assert facts.metadata["vi_run"] == run
    assert facts.metadata["gr__e_1"] == "gro%C3%9F"
    assert "vi_expires" not in facts.metadata
    assert everything(connection) == before
    assert not [text for text in (*told.steps, *told.texts) if "sig=" in text]
    source = {"uri": published.ids[0], "generation": "V2"}
    follow_up = template(tmp_path, builder={**BUILDER, "source": source}, image={"skip": True}, provisioners=())
    with opened_build(connection, follow_up, tmp_path) as build:
        provisioned = build.provision(build.preflight())
        assert provisioned.machine.session.run("cat /etc/mark").stdout == b"made\n"
    for name in names(container):
        container.delete(name)


@pytest.fixture
def slow(azure: tuple[LocalCloud, CloudConnection]) -> Iterator[None]:
    """Let copies take as long as a test."""
    operations = azure[0].cloud.operations
    before, operations.timing = operations.timing, Timing({OPERATION: 60})
    yield
    operations.timing = before


@pytest.mark.usefixtures("slow")
def test_what_was_copied_half_way_to_an_account_without_keys_is_taken_back(
    azure: tuple[LocalCloud, CloudConnection], tmp_path: Path
) -> None:
    cloud, connection = azure
    keyless = make_keyless(connection)
    wanted = template(tmp_path, image={"vhd": {**VHD, "storage_account": "keyless", "copy_timeout": 1}})
    with opened_build(connection, wanted, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert "AuthorizationPermissionMismatch" in str(caught.value)
    assign_role(cloud.cloud, cloud.account.object_id, "Storage Blob Data Contributor", keyless.id)
    before, container = everything(connection), open_container(Arm(connection, print), keyless, "vhds")
    with opened_build(connection, wanted, tmp_path) as build:
        with pytest.raises(DeadlineError, match=r"copies of the disks to 'https://.*/keyless/vhds'.*pending 0 %"):
            publish(build)
        (name,) = names(container)
        facts = container.find(name)
        assert facts is not None
        assert (facts.status, "vi_expires" in facts.metadata) == ("pending", True)
    assert names(container) == []
    assert everything(connection) == before


def make_keyless(connection: CloudConnection) -> StorageAccount:
    arm, keyless = Arm(connection, print), account_id(connection, "keyless")
    create_account(arm, keyless, LOCATION)
    found = find_account(arm, keyless)
    assert found is not None
    open_container(arm, found, "vhds").create()
    resources: Any = connection.resources.resources
    body = {"properties": {"allowSharedKeyAccess": False}}
    resources.begin_update_by_id(keyless, api_version="2023-05-01", parameters=body).result()
    without = find_account(arm, keyless)
    assert without is not None
    return without


@pytest.mark.usefixtures("slow")
def test_what_a_killed_run_has_copied_is_reaped(connection: CloudConnection, container: Container) -> None:
    run, arm = new_run("web"), Arm(connection, print)
    group, disk = run.names.resource_group, run.names.os_disk
    create_group(arm, group, LOCATION, run.tags)
    body: Any = {
        "location": LOCATION,
        "tags": run.tags,
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1},
    }
    connection.compute.disks.begin_create_or_update(group, disk, body).result()
    for name, tags in (("mine.vhd", run.tags), ("published.vhd", {"vi-run": run.id}), ("other.vhd", {"vi-run": "x"})):
        container.begin_copy(name, grant_reading(arm, group, disk, 600), as_metadata(tags))
    blobs = [
        blob_id(account_id(connection), "vhds", name) for name in ("mine.vhd", "published.vhd", "other.vhd", "not")
    ]
    ids = (*blobs, group_id(connection.subscription_id, group))
    reaped = reap(arm, Leftover(run.id, run.spec, run.owner, run.created, run.expires, ids, ()))
    assert (reaped.errors, reaped.left) == ((), ())
    assert reaped.removed == (blobs[0], ids[-1])
    assert names(container) == ["other.vhd", "published.vhd"]
    for name in names(container):
        container.delete(name)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            {"storage_account": "nowhere"},
            "image.vhd.storage_account: there is no storage account 'nowhere' in 'images'",
        ),
        ({"container": "nothing"}, "image.vhd.container: 'goldenvhds' has no container 'nothing'; make it"),
        ({"storage_account": "faraway"}, "'faraway' is in 'northeurope', but the image is built in 'westeurope'"),
        ({"storage_account": "blobsonly"}, "image.vhd.storage_account: 'blobsonly' takes no page blobs"),
    ],
)
@pytest.mark.usefixtures("container")
def test_what_keeps_a_vhd_from_being_written_is_told_at_once(
    connection: CloudConnection, tmp_path: Path, target: dict[str, str], problem: str
) -> None:
    resources: Any = connection.resources.resources
    for name, location, kind in (("faraway", "northeurope", "StorageV2"), ("blobsonly", LOCATION, "BlobStorage")):
        body = {"location": location, "kind": kind, "sku": {"name": "Standard_LRS"}}
        wanted = {"api_version": "2023-05-01", "parameters": body}
        resources.begin_create_or_update_by_id(account_id(connection, name), **wanted).result()
    wanted_template = template(tmp_path, image={"vhd": {**VHD, **target}})
    with opened_build(connection, wanted_template, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("security_type", "image", "problem"),
    [
        ("TrustedLaunch", {"vhd": VHD}, "image.vhd: a TrustedLaunch machine is verified by a gallery version alone"),
        ("TrustedLaunch", {"vhd": VHD, "gallery": GALLERY}, None),
        (
            "ConfidentialVM",
            {"vhd": VHD, "gallery": GALLERY},
            "image.vhd: the disks of ConfidentialVM machines cannot be",
        ),
        (None, {"vhd": VHD, "gallery": {**GALLERY, "specialized": True}}, "image.vhd: a VHD is never specialized"),
        (None, {"vhd": VHD}, None),
    ],
)
def test_machines_that_no_vhd_is_made_of_are_named(
    tmp_path: Path, security_type: str | None, image: dict[str, Any], problem: str | None
) -> None:
    told = list(vhd_problems(template(tmp_path, image=image), security_type))
    assert [each.startswith(problem or "?") for each in told] == ([True] if problem else [])
