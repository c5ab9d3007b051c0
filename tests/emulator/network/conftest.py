from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.network.machines import Machines
from tests.emulator.network.place import LOCATION, Place
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.network.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 0.3


@pytest.fixture(scope="package")
def all_machines() -> Machines:
    return Machines()


@pytest.fixture(scope="package")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, all_machines: Machines) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("network") / "azure"
    with LocalCloud(folder, Options(hypervisor=all_machines.as_hypervisor())) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def azure(local_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(local_cloud)
    yield clients
    clients.close()


@pytest.fixture
def machines(all_machines: Machines) -> Machines:
    all_machines.running.clear()
    all_machines.ports.clear()
    return all_machines


@pytest.fixture
def place(azure: Clients, local_cloud: LocalCloud, machines: Machines) -> Place:
    """Give an empty local Azure but for one group; starting one for each test would cost a second each."""
    for resource in local_cloud.cloud.store.select():
        local_cloud.cloud.store.remove(resource.id)
    azure.resources.resource_groups.create_or_update("g", {"location": LOCATION})
    return Place(azure, machines)


@pytest.fixture
def gateway(place: Place) -> Iterator[Gateway]:
    gateway = Gateway(place.cloud, 0, patience=PATIENCE)
    yield gateway
    gateway.close()


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
