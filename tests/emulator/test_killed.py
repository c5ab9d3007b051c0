"""``local serve``, killed at any moment and started again, finds its state consistent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from verified_images.emulator import find_running
from verified_images.emulator.identity import issue_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator import RunningCloud

SERVE = "import sys; from verified_images.cli import main; sys.exit(main())"
PROJECT = Path(__file__).parents[2]
ROUNDS = 2
Json = Any


@dataclass
class Served:
    """A ``local serve`` in a process of its own, on one folder; calls go to whichever process runs now."""

    state: Path
    cache: Path
    hypervisor: str = "fake"
    operations: set[str] = field(default_factory=set)
    process: subprocess.Popen[bytes] | None = None
    cloud: RunningCloud | None = None

    def start(self) -> None:
        arguments = ["local", "serve", "--hypervisor", self.hypervisor, "--state", str(self.state)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.cache), "PYTHONPATH": str(PROJECT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments], env=environment, cwd=self.state.parent, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 300
        while (cloud := find_running(self.state)) is None:
            assert self.process.poll() is None, "local serve ended by itself"
            assert time.monotonic() < end, "local serve was not announced"
            time.sleep(0.05)
        self.cloud = cloud

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, method: str, path: str, body: Json = None, version: str = "2024-07-01") -> requests.Response:
        assert self.cloud is not None
        account = self.cloud.account
        url = (
            path
            if path.startswith("https:")
            else f"{self.cloud.endpoint}/subscriptions/{account.subscription_id}/{path}"
        )
        if "api-version" not in url:
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        headers = {"Authorization": f"Bearer {issue_token(account, '127.0.0.1')}"}
        answer = requests.request(
            method, url, json=body, headers=headers, timeout=120, verify=str(self.cloud.ca_bundle)
        )
        for name in ("Azure-AsyncOperation", "Location"):
            if name in answer.headers:
                self.operations.add(answer.headers[name].partition("/subscriptions/")[2].partition("/")[2])
        return answer

    def list(self, path: str, version: str = "2024-07-01") -> list[Json]:
        answer = self.call("GET", path, version=version)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["value"])


@pytest.fixture
def served(tmp_path: Path, image_cache: Path) -> Iterator[Served]:
    served = Served(tmp_path / "azure", image_cache)
    yield served
    if served.process and served.process.poll() is None:
        served.kill()


def body(**properties: Json) -> dict[str, Json]:
    return {"location": "westeurope", "properties": properties}


def storm(served: Served, group: str, seed: int) -> None:
    """Create, list and delete a network, a card, disks and a machine in a group until nobody answers."""
    dice = random.Random(seed)  # noqa: S311 - a reproducible storm
    network = f"resourceGroups/{group}/providers/Microsoft.Network"
    compute = f"resourceGroups/{group}/providers/Microsoft.Compute"
    prefix = f"/subscriptions/{served.cloud.account.subscription_id}/" if served.cloud else ""
    space = body(
        addressSpace={"addressPrefixes": ["10.0.0.0/16"]},
        subnets=[{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    )
    subnet = {"subnet": {"id": f"{prefix}{network}/virtualNetworks/n/subnets/s"}}
    card = body(ipConfigurations=[{"name": "c", "properties": subnet}])
    machine = body(
        hardwareProfile={"vmSize": "Standard_B2s"},
        storageProfile={
            "imageReference": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"},
            "osDisk": {"createOption": "FromImage"},
        },
        osProfile={"adminUsername": "azureuser", "computerName": "vm", "adminPassword": "Correct-horse-1"},
        networkProfile={"networkInterfaces": [{"id": f"{prefix}{network}/networkInterfaces/i"}]},
    )
    calls: list[tuple[str, str, Json, str]] = [
        ("PUT", f"{network}/virtualNetworks/n", space, "2024-05-01"),
        ("PUT", f"{network}/networkInterfaces/i", card, "2024-05-01"),
        ("PUT", f"{compute}/virtualMachines/vm", machine, "2024-07-01"),
        ("PUT", f"{compute}/disks/d", body(creationData={"createOption": "Empty"}, diskSizeGB=4), "2024-03-02"),
        ("GET", f"resourceGroups/{group}/resources", None, "2024-07-01"),
        ("POST", f"{compute}/virtualMachines/vm/deallocate", None, "2024-07-01"),
        ("DELETE", f"{compute}/disks/d", None, "2024-03-02"),
        ("DELETE", f"{compute}/virtualMachines/vm", None, "2024-07-01"),
        ("DELETE", f"{network}/networkInterfaces/i", None, "2024-05-01"),
        ("DELETE", f"resourceGroups/{group}", None, "2024-07-01"),
    ]
    with suppress(requests.RequestException):
        while True:
            served.call("PUT", f"resourceGroups/{group}", {"location": "westeurope"})
            for call in calls if dice.random() < 0.5 else dice.sample(calls, len(calls)):
                served.call(*call)


def check(served: Served) -> None:
    """Wait until nothing is being done, then look for what contradicts itself."""
    end = time.monotonic() + 90
    while still_running := [url for url in served.operations if is_running(served, url)]:
        assert time.monotonic() < end, f"{still_running} never ended"
        time.sleep(0.1)
    served.operations.clear()
    groups = served.list("resourceGroups")
    assert {group["properties"]["provisioningState"] for group in groups} <= {"Succeeded"}
    resources = served.list("resources?$expand=provisioningState")
    assert {each["provisioningState"] for each in resources} <= {"Succeeded", "Failed"}
    ids = {each["id"].lower() for each in resources}
    for card in served.list("providers/Microsoft.Network/networkInterfaces", "2024-05-01"):
        owner = card["properties"].get("virtualMachine")
        assert owner is None or owner["id"].lower() in ids
    for disk in served.list("providers/Microsoft.Compute/disks", "2024-03-02"):
        assert disk.get("managedBy") is None or disk["managedBy"].lower() in ids
    machines = served.list("providers/Microsoft.Compute/virtualMachines")
    assert names_in(served.state / "guests") <= {machine["properties"]["vmId"] for machine in machines}


def is_running(served: Served, url: str) -> bool:
    answer = served.call("GET", url)
    return answer.status_code == 202 or (answer.status_code == 200 and b'"InProgress"' in answer.content)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".lock"} if folder.is_dir() else set()


def test_a_killed_local_azure_starts_again_with_nothing_half_made(served: Served) -> None:
    served.start()
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)  # noqa: S311 - reproducible from the message of a failure
    for number in range(ROUNDS):
        storms = [
            threading.Thread(target=storm, args=(served, f"g{index}", seed + number * 10 + index)) for index in range(3)
        ]
        for each in storms:
            each.start()
        time.sleep(dice.uniform(0.2, 2.0))
        served.kill()
        for each in storms:
            each.join(30)
        served.start()
        try:
            check(served)
        except AssertionError as error:
            raise AssertionError(f"round {number} of seed {seed}: {error}") from error
    for group in served.list("resourceGroups"):
        served.call("DELETE", f"resourceGroups/{group['name']}")
    check(served)
    assert served.list("resourceGroups") == []
    assert (
        names_in(served.state / "guests")
        == names_in(served.state / "disks")
        == names_in(served.state / "images")
        == set()
    )
