from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.network.machines import Machines
from tests.emulator.network.place import LOCATION, FirstAnswer, Json, refusal
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NETWORK: Json = {
    "location": LOCATION,
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    },
}


@pytest.fixture
def slow_cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    timing = Timing({"Microsoft.Network/virtualNetworks/write": 0.5, "Microsoft.Network/virtualNetworks/delete": 0.5})
    with LocalCloud(tmp_path / "azure", Options(hypervisor=Machines().as_hypervisor(), timing=timing)) as cloud:
        yield cloud


@pytest.fixture
def slow_azure(slow_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(slow_cloud)
    clients.resources.resource_groups.create_or_update("g", {"location": LOCATION})
    yield clients
    clients.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_write_that_takes_time_says_when_to_ask_again_and_shows_its_state(slow_azure: Clients) -> None:
    networks, first = slow_azure.network.virtual_networks, FirstAnswer()
    networks.begin_create_or_update("g", "vnet", NETWORK, polling=False, raw_response_hook=first)
    assert first.headers["retry-after"] == "3"
    network = networks.get("g", "vnet")["properties"]
    states = {network["provisioningState"], network["subnets"][0]["properties"]["provisioningState"]}
    assert states == {"Updating"}
    until(lambda: bool(networks.get("g", "vnet")["properties"]["provisioningState"] == "Succeeded"))


def test_a_deletion_that_takes_time_can_be_followed_by_either_header(slow_azure: Clients) -> None:
    networks, first = slow_azure.network.virtual_networks, FirstAnswer()
    networks.begin_create_or_update("g", "vnet", NETWORK, polling=False)
    until(lambda: bool(networks.get("g", "vnet")["properties"]["provisioningState"] == "Succeeded"))
    networks.begin_delete("g", "vnet", polling=False, raw_response_hook=first)
    assert (first.status, first.headers["retry-after"]) == (202, "10")
    assert "/operations/" in first.headers["azure-asyncoperation"]
    assert "/operationResults/" in first.headers["location"]
    assert networks.get("g", "vnet")["properties"]["provisioningState"] == "Deleting"
    until(lambda: not list(networks.list("g")))
    assert refusal(partial(networks.get, "g", "vnet"))[1] == "ResourceNotFound"


def test_a_write_that_a_restart_cut_short_has_failed(tmp_path: Path) -> None:
    options = Options(
        hypervisor=Machines().as_hypervisor(),
        timing=Timing({"Microsoft.Network/virtualNetworks/subnets/write": 60}),
    )
    with LocalCloud(tmp_path / "azure", options) as cloud:
        clients = Clients(cloud)
        clients.resources.resource_groups.create_or_update("g", {"location": LOCATION})
        clients.network.virtual_networks.begin_create_or_update("g", "vnet", NETWORK).result()
        body: Json = {"properties": {"addressPrefix": "10.0.1.0/24"}}
        clients.network.subnets.begin_create_or_update("g", "vnet", "more", body, polling=False)
        assert clients.network.virtual_networks.get("g", "vnet")["properties"]["provisioningState"] == "Updating"
        clients.close()
    with LocalCloud(tmp_path / "azure", options) as cloud:
        clients = Clients(cloud)
        assert clients.network.virtual_networks.get("g", "vnet")["properties"]["provisioningState"] == "Failed"
        clients.close()
