"""A scale set of two real guests is rolled over to an image that was captured from one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION, Estate, Json
from tests.emulator.qemu.owner import INSTANCES

if TYPE_CHECKING:
    from tests.emulator.qemu.owner import Owner

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

CHANGE = """set -e
echo upgraded >/etc/marker
touch /home/azureuser/of-the-captured
echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX marker=1"' >/etc/default/grub.d/90.cfg
update-grub
waagent -deprovision+user -force
cloud-init clean --logs
truncate -s 0 /etc/machine-id
"""
NIC_API_VERSION = "2018-10-01"
HOST_KEY = "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub"


@dataclass(frozen=True)
class Upgrade:
    """What the instances were before they were rolled over, and how the captured one went off."""

    host_keys: list[str]
    last_words: bytes


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


@pytest.fixture(scope="module")
def upgrade(owner: Owner) -> Upgrade:
    host_keys = owner.ask_instances(HOST_KEY)
    owner.ask_instance("0", CHANGE)
    version = _capture(owner.estate, "0")
    last_words = owner.hypervisor.read_serial_log(owner.guest_of_instance("0"))
    change = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": version.id}}}}}
    owner.estate.compute.virtual_machine_scale_sets.begin_update("g", "ss", change).result()
    return Upgrade(host_keys, last_words)


def test_a_captured_instance_has_switched_itself_off(owner: Owner, upgrade: Upgrade) -> None:
    assert b"reboot: Power down" in upgrade.last_words
    images = owner.estate.files("images")
    assert images
    assert [image.name for image in images if image.stat().st_mode & 0o222] == []


def test_two_instances_are_rolled_over_to_a_new_image_version(owner: Owner, upgrade: Upgrade) -> None:
    del upgrade
    latest = owner.estate.compute.virtual_machine_scale_set_rolling_upgrades.get_latest("g", "ss")
    assert (latest.running_status.code, latest.progress.successful_instance_count) == ("Completed", 2)
    for instance in owner.estate.compute.virtual_machine_scale_set_vms.list("g", "ss"):
        assert instance.latest_model_applied is True
        assert instance.storage_profile.image_reference.exact_version == "1.0.0"


def test_instances_have_what_was_captured_and_boot_by_what_update_grub_wrote(owner: Owner, upgrade: Upgrade) -> None:
    del upgrade
    for told in owner.ask_instances("cat /etc/marker /proc/cmdline"):
        assert told.startswith("upgraded\nBOOT_IMAGE=/boot/vmlinuz-")
        assert "marker=1" in told


def test_instances_have_identities_of_their_own(owner: Owner, upgrade: Upgrade) -> None:
    assert len({*upgrade.host_keys, *owner.ask_instances(HOST_KEY)}) == 4
    assert len(set(owner.ask_instances("cat /etc/machine-id"))) == 2
    for number in INSTANCES:
        logged_in = owner.ssh(owner.guest_of_instance(number), "id -un; hostname; sudo -n id -u")
        assert logged_in.split() == ["azureuser", f"inst00000{number}", "0"]
    assert owner.ask_instances("ls /home/azureuser") == ["", ""]


def test_instances_have_the_addresses_that_arm_gave_them(owner: Owner, upgrade: Upgrade) -> None:
    del upgrade
    path = f"virtualMachineScaleSets/ss/networkInterfaces?api-version={NIC_API_VERSION}"
    cards = [card["properties"]["ipConfigurations"][0] for card in owner.estate.call("GET", path).json()["value"]]
    given = {f"{card['properties']['privateIPAddress']}/24" for card in cards}
    assert {told.split()[2] for told in owner.ask_instances("ip -brief address show eth0")} == given
    assert len(given) == 2
