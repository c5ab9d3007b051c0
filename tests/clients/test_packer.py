"""Packer's azure-arm builder makes an image on the local Azure, which it takes for Azure itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.clients import Clients
from verified_images.commands.local import clients_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator import LocalCloud, RunningCloud

pytestmark = [
    pytest.mark.xdist_group("packer"),
    pytest.mark.skipif(shutil.which("packer") is None, reason="packer is not installed: ./dev test installs it"),
]

FILES = Path(__file__).parent / "packer"
LOCATION: Any = {"location": "westeurope"}
DEFINITION: Any = {
    **LOCATION,
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V1",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
    },
}


@pytest.fixture(scope="module")
def azure(local_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(local_cloud)
    clients.resources.resource_groups.create_or_update("images", LOCATION)
    clients.compute.galleries.begin_create_or_update("images", "golden", LOCATION).result()
    clients.compute.gallery_images.begin_create_or_update("images", "golden", "hello", DEFINITION).result()
    yield clients
    clients.close()


@pytest.fixture(scope="module")
def build(azure: Clients, running: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the output of the build."""
    del azure
    folder = tmp_path_factory.mktemp("packer")
    shutil.copy(FILES / "motd", folder)
    # Under its own name pytest would take it for a spec.
    template = shutil.copy(FILES / "hello.hcl", folder / "hello.pkr.hcl")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "CHECKPOINT_DISABLE": "1",
        **clients_environment(running, as_azure=True),
    }
    command: list[str | Path] = ["packer", "build", "-color=false", template]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    output: str = done.stdout
    return output


def test_both_images_are_named_as_what_was_made(build: str) -> None:
    assert "\n    azure-arm.hello: hello\n" in build
    assert "ManagedImageId: /subscriptions/" in build
    assert build.rstrip().endswith("/galleries/golden/images/hello/versions/1.0.0")


def test_the_managed_image_and_the_version_made_of_it_are_there(build: str, azure: Clients) -> None:
    del build
    image = azure.compute.images.get("images", "hello")
    assert (image.hyper_v_generation, image.tags) == ("V1", {"made": "by-packer"})
    version = azure.compute.gallery_image_versions.get("images", "golden", "hello", "1.0.0", expand="ReplicationStatus")
    assert version.storage_profile.source.id.lower() == str(image.id).lower()
    assert version.replication_status.aggregated_state == "Completed"


def test_nothing_temporary_is_left(build: str, azure: Clients) -> None:
    del build
    assert [str(group.name) for group in azure.resources.resource_groups.list()] == ["images"]
    assert list(azure.compute.virtual_machines.list_all()) == []
    assert list(azure.compute.disks.list()) == []
