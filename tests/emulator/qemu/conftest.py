from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.compute.estate import Estate, Faults
from tests.emulator.qemu.guests import CACHE
from tests.emulator.qemu.owner import Owner
from tests.emulator.qemu.ssh_client import make_key
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    # Longer than a Unix socket's path may be.
    folder = tmp_path_factory.mktemp("long-" + "x" * 120)
    with LocalCloud(folder / "azure", Options(hypervisor="qemu", cache=CACHE, progress=print)) as cloud:
        clients = Clients(cloud)
        estate = Estate(clients, Faults())
        estate.open()
        owner = Owner(estate, make_key(folder), folder)
        owner.begin()
        yield owner
        estate.close()
        clients.close()
