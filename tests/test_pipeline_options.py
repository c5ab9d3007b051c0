"""What a template can say beside the usual, through the whole pipeline on the local Azure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.local_azure import GALLERY, Told, everything, make_template, opened_build, start_local_azure
from verified_images.errors import GateClosedError, PostProcessorError, ProvisionerError
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
