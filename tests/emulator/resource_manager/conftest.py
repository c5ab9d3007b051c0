from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.resource_manager.deployer import Deployer
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("deployments") / "azure"
    with LocalCloud(state, Options(hypervisor="fake", cache=image_cache)) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def azure(local_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(local_cloud)
    yield clients
    clients.close()


@pytest.fixture
def deployer(azure: Clients) -> Iterator[Deployer]:
    """Give group ``g``; afterwards it is deleted with all in it."""
    azure.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
    deployer = Deployer(azure)
    yield deployer
    deployer.session.close()
    azure.resources.resource_groups.begin_delete("g").result()
    assert list(azure.resources.resources.list()) == []
