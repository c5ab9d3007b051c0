"""A scale set of two real guests is rolled over to an image that was captured from one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.compute.estate import LOCATION, Estate, Faults, Json
from tests.emulator.qemu.guests import CACHE
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

MARKETPLACE = {"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"}
CHANGE = """set -e
echo upgraded >/etc/marker
waagent -deprovision+user -force
cloud-init clean --logs
truncate -s 0 /etc/machine-id
"""
HOST_KEY = "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub"
HEALTH = {
    "publisher": "Microsoft.ManagedServices",
    "type": "ApplicationHealthLinux",
    "typeHandlerVersion": "1.0",
    "settings": {"protocol": "tcp", "port": 22},
}
POLICY = {
    "mode": "Rolling",
    "rollingUpgradePolicy": {"maxBatchInstancePercent": 50, "maxUnhealthyInstancePercent": 100},
}


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with LocalCloud(tmp_path / "azure", Options(hypervisor="qemu", cache=CACHE, progress=print)) as cloud:
        clients = Clients(cloud)
        estate = Estate(clients, Faults())
        estate.open()
        yield estate
        estate.close()
        clients.close()


def _ask(estate: Estate, number: str, script: str) -> str:
    body = {"commandId": "RunShellScript", "script": [script]}
    instances = estate.compute.virtual_machine_scale_set_vms
    message = str(instances.begin_run_command("g", "ss", number, body).result().value[0].message)
    return message.split("[stdout]\n")[1].split("[stderr]", maxsplit=1)[0].strip()


def _capture(estate: Estate, number: str) -> Json:
    """Make a gallery version of an instance's disk, which has been deprovisioned."""
    estate.compute.virtual_machine_scale_sets.begin_deallocate("g", "ss", {"instanceIds": [number]}).result()
    instance = estate.compute.virtual_machine_scale_set_vms.get("g", "ss", number)
    source = {"createOption": "Copy", "sourceResourceId": instance.storage_profile.os_disk.managed_disk.id}
    body: Json = {"location": LOCATION, "properties": {"creationData": source}}
    snapshot = estate.compute.snapshots.begin_create_or_update("g", "captured", body).result()
    estate.make_definition(hyperVGeneration="V1")
    version = {
        "location": LOCATION,
        "properties": {
            "publishingProfile": {"targetRegions": [{"name": LOCATION}]},
            "storageProfile": {"osDiskImage": {"source": {"id": snapshot.id}}},
        },
    }
    versions = estate.compute.gallery_image_versions
    return versions.begin_create_or_update("g", "gallery", "definition", "1.0.0", version).result()


def test_two_instances_are_rolled_over_to_a_new_image_version(estate: Estate) -> None:
    extensions = {"extensions": [{"name": "health", "properties": HEALTH}]}
    body = estate.scale_set_body(2, MARKETPLACE, extensionProfile=extensions)
    body["sku"]["name"] = "Standard_B1s"
    body["properties"]["upgradePolicy"] = POLICY
    scale_sets = estate.compute.virtual_machine_scale_sets
    scale_sets.begin_create_or_update("g", "ss", body).result()
    before = [_ask(estate, number, HOST_KEY) for number in ("0", "1")]
    _ask(estate, "0", CHANGE)
    version = _capture(estate, "0")
    change = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": version.id}}}}}
    scale_sets.begin_update("g", "ss", change).result()
    latest = estate.compute.virtual_machine_scale_set_rolling_upgrades.get_latest("g", "ss")
    assert (latest.running_status.code, latest.progress.successful_instance_count) == ("Completed", 2)
    after = [_ask(estate, number, HOST_KEY) for number in ("0", "1")]
    assert len({*before, *after}) == 4
    for number in ("0", "1"):
        assert _ask(estate, number, "cat /etc/marker; hostname").split() == ["upgraded", f"inst00000{number}"]
    for instance in estate.compute.virtual_machine_scale_set_vms.list("g", "ss"):
        assert instance.latest_model_applied is True
        assert instance.storage_profile.image_reference.exact_version == "1.0.0"
