from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.compute.estate import Estate, Faults
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.fake.hypervisor import FakeHypervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="package")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, image_cache: Path, faults: Faults) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("compute") / "azure"
    hypervisor = FakeHypervisor(state, image_cache, fault=faults)
    with LocalCloud(state, Options(hypervisor=hypervisor, cache=image_cache)) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def azure(local_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(local_cloud)
    yield clients
    clients.close()


@pytest.fixture
def estate(azure: Clients, faults: Faults) -> Iterator[Estate]:
    """Give group ``g`` with a network; afterwards it is deleted, and nothing of it may be left."""
    estate = Estate(azure, faults)
    estate.open()
    yield estate
    estate.close()
    assert estate.files("disks") == estate.files("images") == []
    assert estate.guests() == []
    assert list(azure.resources.resources.list()) == []
