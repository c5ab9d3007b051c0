"""The whole path, on the local Azure with machines that answer in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.local_azure import (
    GALLERY,
    MANAGED,
    Told,
    everything,
    make_template,
    opened_build,
    start_local_azure,
)
from verified_images.reports.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

PASSED = Verdict(passed=True, tests=3)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, CloudConnection]]:
    """A local Azure for this file."""
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as started:
        yield started


@pytest.fixture
def connection(local: tuple[LocalCloud, CloudConnection]) -> CloudConnection:
    return local[1]


def test_an_image_is_built_tested_and_published(connection: CloudConnection, tmp_path: Path) -> None:
    before, told = everything(connection), Told()
    template = make_template(tmp_path, image={"gallery": GALLERY, "managed": MANAGED, "tags": {"team": "web"}})
    with opened_build(connection, template, tmp_path, told=told) as build:
        plan = build.preflight()
        provisioned = build.provision(plan)
        page = provisioned.machine.session.run("cat /var/www/html/index.html")
        assert page.stdout == b"<h1>verified</h1>\n"
        captured = build.capture(provisioned, PASSED)
        scale_set = build.deploy(captured)
        assert len({instance.host_name for instance in scale_set.instances}) == 2
        assert [instance.get().text for instance in scale_set.instances] == ["<h1>verified</h1>\n"] * 2
        assert scale_set.get().status == 200
        published = build.publish(captured, scale_set, PASSED)
    new = {resource_id: type_ for resource_id, type_ in everything(connection).items() if resource_id not in before}
    assert sorted(new.values()) == ["Microsoft.Compute/galleries/images/versions", "Microsoft.Compute/images"]
    assert {resource_id.lower() for resource_id in new} == {image_id.lower() for image_id in published.ids}
    assert published.version == "1.0.0"
    assert list((tmp_path / "runs").iterdir()) == []
