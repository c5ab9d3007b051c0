"""Targets beside the usual: specialized and confidential images, and OS disks that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local_azure import BUILDER, GALLERY, MANAGED, everything, make_template, opened_build, start_local_azure
from verified_images.errors import PreflightError
from verified_images.reports.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.pipeline import Build
    from verified_images.stages.publish import PublishedImage
    from verified_images.stages.scale_set import ScaleSet

PASSED = Verdict(passed=True, tests=3)
MARK = ({"shell": {"inline": ["echo here >$HOME/mark"]}},)
CONFIDENTIAL = {"vm_size": "Standard_DC2as_v5", "security_type": "ConfidentialVM"}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudConnection]:
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as (_, connection):
        yield connection


def define(connection: CloudConnection, name: str, *, state: str = "Generalized", security: str = "") -> dict[str, str]:
    """Make an image definition, and return the target that names it."""
    definition: Any = {
        "location": "westeurope",
        "properties": {
            "osType": "Linux",
            "osState": state,
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "us", "offer": name, "sku": name},
            "features": [{"name": "SecurityType", "value": security}] if security else [],
        },
    }
    connection.compute.gallery_images.begin_create_or_update("images", "golden", name, definition).result()
    return {**GALLERY, "definition": name}


def template(folder: Path, gallery: dict[str, Any], **builder: Any) -> Any:  # noqa: ANN401 - keys
    smoke = builder.pop("smoke", {"instances": 1, "timeout": 60})
    parts = {"builder": {**BUILDER, **builder}, "image": {"gallery": gallery}, "smoke": smoke}
    return make_template(folder, provisioners=MARK, **parts)


def publish(build: Build) -> tuple[ScaleSet, PublishedImage]:
    captured = build.capture(build.provision(build.preflight()), PASSED)
    scale_set = build.deploy(captured)
    return scale_set, build.publish(captured, scale_set, PASSED)


@pytest.mark.parametrize("orchestration", ["uniform", "flexible"])
def test_a_specialized_image_keeps_its_user(connection: CloudConnection, tmp_path: Path, orchestration: str) -> None:
    gallery = {**define(connection, "specialized", state="Specialized"), "specialized": True}
    smoke = {"instances": 1, "timeout": 60, "orchestration": orchestration}
    before = everything(connection)
    with opened_build(connection, template(tmp_path, gallery, smoke=smoke), tmp_path) as build:
        scale_set, published = publish(build)
        assert scale_set.instances[0].session.run("cat mark").stdout == b"here\n"
        assert scale_set.instances[0].session.run("whoami").stdout == b"packer\n"
    assert set(everything(connection)) - set(before) == set(published.ids)


def test_specialized_and_definition_agree(connection: CloudConnection, tmp_path: Path) -> None:
    found = template(tmp_path, {**GALLERY, "specialized": True})
    with opened_build(connection, found, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert "'web' takes Generalized images, but they are specialized; remove image.gallery.specialized" in str(
        caught.value
    )
    target = {**define(connection, "special", state="Specialized"), "specialized": True}
    both = make_template(tmp_path, image={"gallery": target, "managed": MANAGED})
    with opened_build(connection, both, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert "image.managed: a managed image is never specialized" in str(caught.value)


def test_a_confidential_image_is_made_of_a_source_that_supports_it(connection: CloudConnection, tmp_path: Path) -> None:
    base = define(connection, "base", security="TrustedLaunchAndConfidentialVmSupported")
    with opened_build(connection, template(tmp_path, base), tmp_path) as build:
        publish(build)
    target = define(connection, "confidential", security="ConfidentialVM")
    found = template(tmp_path, target, source=base, security_encryption_type="DiskWithVMGuestState", **CONFIDENTIAL)
    with opened_build(connection, found, tmp_path) as build:
        captured = build.capture(build.provision(build.preflight()), PASSED)
        group, name = captured.machine_id.split("/")[4], captured.machine_id.split("/")[-1]
        properties: Any = connection.compute.virtual_machines.get(group, name)["properties"]
        assert properties["securityProfile"]["securityType"] == "ConfidentialVM"
        disk = properties["storageProfile"]["osDisk"]["managedDisk"]
        assert disk["securityProfile"] == {"securityEncryptionType": "DiskWithVMGuestState"}
        scale_set = build.deploy(captured)
        published = build.publish(captured, scale_set, PASSED)
    version: Any = connection.compute.gallery_image_versions.get("images", "golden", "confidential", "1.0.0")
    (region,) = version["properties"]["publishingProfile"]["targetRegions"]
    encryption = {"securityProfile": {"confidentialVMEncryptionType": "EncryptedWithPmk"}}
    assert region["encryption"]["osDiskImage"] == encryption
    assert published.version == "1.0.0"


def test_what_no_confidential_machine_can_have_is_told_at_once(connection: CloudConnection, tmp_path: Path) -> None:
    found = make_template(
        tmp_path,
        builder={**BUILDER, "security_type": "ConfidentialVM"},
        image={"gallery": GALLERY, "managed": MANAGED},
    )
    with opened_build(connection, found, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    told = str(caught.value)
    assert "Standard_B2s cannot do ConfidentialVM; sizes such as Standard_DC2as_v5 can" in told
    assert "does not support ConfidentialVM" in told
    assert "image.gallery.definition: it takes no ConfidentialVM" in told
    assert "Azure makes no managed images of ConfidentialVM machines" in told


def test_the_os_disk_is_kept_once_the_image_is_published(connection: CloudConnection, tmp_path: Path) -> None:
    connection.resources.resource_groups.create_or_update("builds", {"location": "westeurope"})
    before = everything(connection)
    found = template(tmp_path, GALLERY, resource_group="builds", keep_os_disk=True)
    with opened_build(connection, found, tmp_path) as build:
        publish(build)
    (disk,) = connection.compute.disks.list_by_resource_group("builds")
    assert "vi-expires" not in disk["tags"]
    assert disk["tags"]["vi-verdict"] == "verified"
    assert len(set(everything(connection)) - set(before)) == 2
    with opened_build(connection, found, tmp_path) as build:
        build.provision(build.preflight())
    assert len(list(connection.compute.disks.list_by_resource_group("builds"))) == 1


def test_an_os_disk_is_not_kept_in_a_temporary_group(connection: CloudConnection, tmp_path: Path) -> None:
    found = template(tmp_path, GALLERY, keep_os_disk=True)
    with opened_build(connection, found, tmp_path) as build, pytest.raises(PreflightError, match="temporary group"):
        build.preflight()
