"""Deployments in the middle: while they run, when something in them goes wrong, and after a restart."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.resource_manager.deployer import Deployer, address, template
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.emulator.resource_manager.deployer import Json

ADDRESSES = "Microsoft.Network/publicIPAddresses"


@pytest.fixture
def held(deployer: Deployer) -> Iterator[Json]:
    """Give a deployment that is kept from ending, as its PUT answers it; ``after`` waits for ``stuck``."""
    deployer.azure.cloud.faults.add(fault="operation_stuck", type=ADDRESSES, resource="stuck")
    answer = deployer.put(template([address("stuck"), address("after", dependsOn=["stuck"])]))
    yield answer
    deployer.azure.cloud.faults.clear()
    while state(deployer) in {"Accepted", "Running"}:
        time.sleep(0.005)


def state(deployer: Deployer) -> str:
    return str(deployer.call("GET", deployer.path()).json()["properties"]["provisioningState"])


def test_a_deployment_that_runs_is_neither_replaced_nor_deleted(deployer: Deployer, held: Json) -> None:
    assert held.status_code == 201
    for method, body in (("PUT", deployer.body(template())), ("DELETE", None)):
        answer = deployer.call(method, deployer.path(), body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "DeploymentActive")
    assert state(deployer) in {"Accepted", "Running"}


def test_a_cancelled_deployment_begins_nothing_more(deployer: Deployer, held: Json) -> None:
    assert deployer.call("POST", deployer.path() + "/cancel").status_code == 204
    assert deployer.wait(held)["status"] == "Canceled"
    assert state(deployer) == "Canceled"
    assert [found.name for found in deployer.azure.network.public_ip_addresses.list("g")] == ["stuck"]
    assert deployer.deploy(template())["properties"]["provisioningState"] == "Succeeded"


def test_a_resource_whose_operation_fails_fails_the_deployment(deployer: Deployer) -> None:
    deployer.azure.cloud.faults.add(fault="operation_failed", type=ADDRESSES, code="Broken", message="It broke.")
    (detail,) = deployer.failure(template([address("broken")]))["details"]
    assert detail["code"] == "ResourceDeploymentFailure"
    assert detail["target"].endswith("/publicIPAddresses/broken")
    assert [(inner["code"], inner["message"]) for inner in detail["details"]] == [("Broken", "It broke.")]


def test_a_deployment_that_a_fault_ends_can_be_made_again(deployer: Deployer) -> None:
    deployer.azure.cloud.faults.add(fault="operation_failed", type="Microsoft.Resources/deployments", code="Broken")
    answer = deployer.put(template([address("ip")]))
    status = deployer.wait(answer)
    assert (status["status"], status["error"]["code"]) == ("Failed", "Broken")
    assert state(deployer) == "Failed"
    assert deployer.deploy(template([address("ip")]))["properties"]["provisioningState"] == "Succeeded"


def test_a_deployment_that_a_stop_cuts_short_has_failed_after_the_restart(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    with LocalCloud(tmp_path / "azure", options) as cloud:
        clients = Clients(cloud)
        clients.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
        cloud.faults.add(fault="operation_stuck", type=ADDRESSES)
        deployer = Deployer(clients)
        assert deployer.put(template([address("ip")])).status_code == 201
        clients.close()
        deployer.session.close()
    with LocalCloud(tmp_path / "azure", options) as cloud:
        clients = Clients(cloud)
        deployer = Deployer(clients)
        assert state(deployer) == "Failed"
        assert deployer.deploy(template([address("ip")]))["properties"]["provisioningState"] == "Succeeded"
        clients.close()
        deployer.session.close()


def test_a_deployment_that_is_stuck_keeps_no_process_from_ending(deployer: Deployer, held: Json) -> None:
    assert held.status_code == 201
    names = {"deployment", "operation Microsoft.Resources/deployments/write"}
    until = time.monotonic() + 10
    running: list[threading.Thread] = []
    while {thread.name for thread in running} != names and time.monotonic() < until:
        time.sleep(0.005)
        running = [thread for thread in threading.enumerate() if thread.name in names]
    assert {thread.name for thread in running} == names
    assert all(thread.daemon for thread in running)
    assert state(deployer) in {"Accepted", "Running"}
