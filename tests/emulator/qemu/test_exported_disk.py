"""A built disk is downloaded as a VHD under a shared access signature, and what was downloaded boots."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.emulator.clients import Clients
from tests.emulator.qemu.guests import CACHE, make_spec
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.qemu import QemuHypervisor
from verified_images.emulator.vhd import read_size_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 900.0
GIBIBYTE = 1024**3
LOCATION = "westeurope"


@pytest.fixture
def hypervisor(tmp_path: Path) -> QemuHypervisor:
    return QemuHypervisor(tmp_path / "azure", CACHE, progress=print)


@pytest.fixture
def azure(tmp_path: Path, hypervisor: QemuHypervisor) -> Iterator[Clients]:
    with LocalCloud(tmp_path / "azure", Options(hypervisor=hypervisor, cache=CACHE)) as cloud:
        clients = Clients(cloud)
        yield clients
        clients.close()


def _download(azure: Clients, url: str, target: Path) -> None:
    """Download the parts of a page blob that hold something, as azcopy does."""
    verify = str(azure.cloud.ca_bundle)
    size = int(requests.head(url, verify=verify, timeout=60).headers["Content-Length"])
    listing = requests.get(f"{url}&comp=pagelist", verify=verify, timeout=60).text
    with target.open("wb") as file:
        file.truncate(size)
        for first, last in re.findall(r"<Start>(\d+)</Start><End>(\d+)</End>", listing):
            part = requests.get(
                url, headers={"Range": f"bytes={first}-{last}"}, verify=verify, timeout=SECONDS, stream=True
            )
            file.seek(int(first))
            for content in part.iter_content(1 << 20):
                file.write(content)


def test_a_downloaded_disk_is_a_valid_vhd_and_boots(azure: Clients, hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": LOCATION})
    image = (
        f"/Subscriptions/{azure.cloud.account.subscription_id}/Providers/Microsoft.Compute/Locations/{LOCATION}"
        "/Publishers/Debian/ArtifactTypes/VMImage/Offers/debian-12/Skus/12/Versions/latest"
    )
    creation = {"createOption": "FromImage", "imageReference": {"id": image}}
    body: Any = {"location": LOCATION, "properties": {"creationData": creation}}
    disks: Any = azure.compute.disks
    disks.begin_create_or_update("g", "d", body).result()
    access = disks.begin_grant_access("g", "d", {"access": "Read", "durationInSeconds": 3600}).result()
    vhd = tmp_path / "downloaded.vhd"
    _download(azure, str(access.access_sas), vhd)
    disks.begin_revoke_access("g", "d").result()
    assert read_size_of_file(vhd) == 30 * GIBIBYTE
    assert vhd.stat().st_size == 30 * GIBIBYTE + 512
    command = ["qemu-img", "info", "-f", "vpc", "--output=json", str(vhd)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["virtual-size"] == 30 * GIBIBYTE
    hypervisor.import_image(vhd, tmp_path / "images" / "imported.qcow2")
    disk = tmp_path / "disks" / "imported.qcow2"
    hypervisor.create_disk(disk, base=tmp_path / "images" / "imported.qcow2", size_bytes=None)
    spec = make_spec(str(uuid.uuid4()), disk)
    hypervisor.start(spec)
    hypervisor.wait_until_provisioned(spec.name, SECONDS)
    assert hypervisor.run_command(spec.name, "grep ^VERSION_ID /etc/os-release", 60).stdout == 'VERSION_ID="12"\n'
