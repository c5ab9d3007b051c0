"""``local serve``, killed while a real guest runs, started again: no process is left, and the machine boots again.

Between the two boots its OS disk is made larger, and at last it switches itself off.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.emulator.qemu.guests import CACHE
from tests.emulator.test_killed import Json, Served, body

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 900.0
COMPUTE = "resourceGroups/g/providers/Microsoft.Compute"
NETWORK = "resourceGroups/g/providers/Microsoft.Network"
ROOT_SIZE = "df --output=size --block-size=1G / | tail -1"
MACHINE = f"{COMPUTE}/virtualMachines/vm"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "azure", CACHE.parent, hypervisor="qemu")
    yield served
    if served.process and served.process.poll() is None:
        served.kill()


def finish(served: Served, method: str, path: str, content: Json = None, version: str = "2024-07-01") -> Json:
    """Make a call, wait until its operation has ended, and give what that says."""
    answer = served.call(method, path, content, version)
    assert answer.ok, answer.text
    followed = answer.headers.get("Azure-AsyncOperation")
    deadline = time.monotonic() + SECONDS
    while followed:
        told = served.call("GET", followed).json()
        if told["status"] not in ("InProgress", "Running"):
            assert told["status"] == "Succeeded", told
            return told
        assert time.monotonic() < deadline, f"{method} {path} did not end"
        time.sleep(0.2)
    return answer.json()


def make_machine(served: Served) -> None:
    assert served.cloud is not None
    prefix = f"/subscriptions/{served.cloud.account.subscription_id}"
    served.call("PUT", "resourceGroups/g", {"location": "westeurope"})
    subnets = [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]
    space = body(addressSpace={"addressPrefixes": ["10.0.0.0/16"]}, subnets=subnets)
    finish(served, "PUT", f"{NETWORK}/virtualNetworks/n", space, "2024-05-01")
    subnet = {"subnet": {"id": f"{prefix}/{NETWORK}/virtualNetworks/n/subnets/s"}}
    card = body(ipConfigurations=[{"name": "c", "properties": subnet}])
    finish(served, "PUT", f"{NETWORK}/networkInterfaces/i", card, "2024-05-01")
    machine = body(
        hardwareProfile={"vmSize": "Standard_B1s"},
        storageProfile={
            "imageReference": {"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"},
            "osDisk": {"createOption": "FromImage"},
        },
        osProfile={"adminUsername": "azureuser", "computerName": "vm", "adminPassword": "Correct-horse-1"},
        networkProfile={"networkInterfaces": [{"id": f"{prefix}/{NETWORK}/networkInterfaces/i"}]},
    )
    finish(served, "PUT", MACHINE, machine)


def ask(served: Served, script: str) -> str:
    told = finish(served, "POST", f"{MACHINE}/runCommand", {"commandId": "RunShellScript", "script": [script]})
    message = str(told["properties"]["output"]["value"][0]["message"])
    return message.split("[stdout]\n")[1].split("[stderr]", maxsplit=1)[0].strip()


def power_state(served: Served) -> str:
    view = served.call("GET", f"{MACHINE}/instanceView").json()
    return next(str(each["code"]) for each in view["statuses"] if each["code"].startswith("PowerState/"))


def guests_of(state: Path) -> list[str]:
    """Give the command lines of QEMU processes that work in the folder."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text("utf-8", "replace").replace("\0", " "))
        except OSError:
            continue
    return [line for line in lines if line.startswith("qemu-system") and str(state) in line]


def test_a_machine_whose_local_azure_was_killed_is_off_and_boots_again_with_a_larger_disk(
    served: Served,
) -> None:
    served.start()
    make_machine(served)
    note = "echo written >/var/note; sync; cat /proc/sys/kernel/random/boot_id"
    before, size = ask(served, f"{note}; {ROOT_SIZE}").split()
    assert int(size) < 31
    assert len(guests_of(served.state)) == 1
    served.kill()
    deadline = time.monotonic() + SECONDS
    while guests_of(served.state) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert guests_of(served.state) == []
    served.start()
    assert power_state(served) == "PowerState/stopped"
    assert served.call("GET", MACHINE).json()["properties"]["provisioningState"] == "Succeeded"
    (disk,) = (served.state / "disks").iterdir()
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(disk)], check=True)
    finish(served, "POST", f"{MACHINE}/deallocate")
    finish(served, "PATCH", MACHINE, {"properties": {"storageProfile": {"osDisk": {"diskSizeGB": 40}}}})
    finish(served, "POST", f"{MACHINE}/start")
    note, after, size = ask(served, f"cat /var/note /proc/sys/kernel/random/boot_id; {ROOT_SIZE}").split()
    assert (note, after != before, int(size) >= 39) == ("written", True, True)
    assert power_state(served) == "PowerState/running"
    ask(served, "systemd-run --on-active=1 systemctl poweroff")
    deadline = time.monotonic() + SECONDS
    while power_state(served) == "PowerState/running" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert power_state(served) == "PowerState/stopped"
    assert guests_of(served.state) == []
