"""One story on real guests through ARM: a machine that is built on and two instances of a scale set run side by side.

All that a machine's owner may do to it is done to guests that are booted once, because a boot is what costs.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.compute.estate import LOCATION, Estate, Faults, Json
from tests.emulator.qemu.guests import CACHE
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

MARKETPLACE = {"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"}
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
ROOT_SIZE = "df --output=size --block-size=1G / | tail -1"
DISKS = "ls /dev/disk/azure/scsi1 2>/dev/null || echo none"


@dataclass(frozen=True)
class Owner:
    """Who has the machine ``vm`` and the scale set ``ss``, both running."""

    estate: Estate

    def ask(self, script: str) -> str:
        return _stdout(self.estate.run(script))

    def ask_instance(self, number: str, script: str) -> str:
        body = {"commandId": "RunShellScript", "script": [script]}
        instances = self.estate.compute.virtual_machine_scale_set_vms
        return _stdout(str(instances.begin_run_command("g", "ss", number, body).result().value[0].message))

    def extend(self, name: str, publisher: str, kind: str, version: str, **properties: Json) -> Json:
        body = {
            "location": LOCATION,
            "properties": {"publisher": publisher, "type": kind, "typeHandlerVersion": version, **properties},
        }
        extensions = self.estate.compute.virtual_machine_extensions
        return extensions.begin_create_or_update("g", "vm", name, body).result()

    def set_data_disks(self, *disks: Json) -> None:
        change: Json = {"properties": {"storageProfile": {"dataDisks": list(disks)}}}
        self.estate.compute.virtual_machines.begin_update("g", "vm", change).result()


def _stdout(message: str) -> str:
    return message.split("[stdout]\n")[1].split("[stderr]", maxsplit=1)[0].strip()


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    state = tmp_path_factory.mktemp("story") / "azure"
    with LocalCloud(state, Options(hypervisor="qemu", cache=CACHE, progress=print)) as cloud:
        clients = Clients(cloud)
        estate = Estate(clients, Faults())
        estate.open()
        machine = estate.begin_machine(
            storageProfile={"imageReference": dict(MARKETPLACE), "osDisk": {"createOption": "FromImage"}}
        )
        body = estate.scale_set_body(2, dict(MARKETPLACE))
        body["sku"]["name"] = "Standard_B1s"
        scale_set = estate.compute.virtual_machine_scale_sets.begin_create_or_update("g", "ss", body)
        machine.result()
        scale_set.result()
        yield Owner(estate)
        estate.close()
        clients.close()


def test_three_machines_run_at_once_and_each_is_reached(owner: Owner) -> None:
    boot_ids = {owner.ask(BOOT_ID), *(owner.ask_instance(number, BOOT_ID) for number in ("0", "1"))}
    assert len(boot_ids) == 3
    assert owner.ask("hostname") == "vm"
    assert [owner.ask_instance(number, "hostname") for number in ("0", "1")] == ["inst000000", "inst000001"]


def test_an_extension_and_a_run_command_run_in_the_guest(owner: Owner) -> None:
    settings = {"commandToExecute": "echo from the extension | tee /run/extension"}
    made = owner.extend("script", "Microsoft.Azure.Extensions", "CustomScript", "2.1", settings=settings)
    assert made.provisioning_state == "Succeeded"
    assert owner.ask("cat /run/extension") == "from the extension"
    body = {
        "location": LOCATION,
        "properties": {
            "source": {"script": "id -un; echo $greeting"},
            "parameters": [{"name": "greeting", "value": "hello"}],
        },
    }
    commands = owner.estate.compute.virtual_machine_run_commands
    commands.begin_create_or_update("g", "vm", "command", body).result()
    view = commands.get_by_virtual_machine("g", "vm", "command", expand="instanceView").instance_view
    assert (view.exit_code, view.output.split()) == (0, ["root", "hello"])


def test_access_is_given_to_a_user_with_a_password(owner: Owner) -> None:
    protected = {"username": "rescue", "password": "Correct-horse-1"}
    kind = ("Microsoft.OSTCExtensions", "VMAccessForLinux", "1.5")
    assert owner.extend("access", *kind, protectedSettings=protected).provisioning_state == "Succeeded"
    assert owner.ask("getent shadow rescue | cut -d: -f2 | cut -c1-2") in ("$y", "$6")


def test_a_data_disk_comes_to_the_running_guest_and_leaves_it(owner: Owner) -> None:
    before = owner.ask(BOOT_ID)
    disk = {"createOption": "Empty", "diskSizeGB": 1}
    owner.set_data_disks({"lun": 3, "name": "third", **disk})
    script = "udevadm settle; mkfs.ext4 -q /dev/disk/azure/scsi1/lun3 && mount /dev/disk/azure/scsi1/lun3 /mnt"
    owner.ask(f"{script} && echo kept > /mnt/file && umount /mnt")
    assert owner.ask(DISKS) == "lun3"
    owner.set_data_disks()
    assert owner.ask(f"udevadm settle; {DISKS}") == "none"
    again = {"createOption": "Attach", "managedDisk": {"id": owner.estate.id("disks", "third")}}
    owner.set_data_disks({"lun": 0, **again})
    assert owner.ask("udevadm settle; mount -r /dev/disk/azure/scsi1/lun0 /mnt; cat /mnt/file; umount /mnt") == "kept"
    assert owner.ask(BOOT_ID) == before


def test_a_restart_keeps_disks_and_changes_the_boot_id(owner: Owner) -> None:
    before = owner.ask(f"echo kept > /var/kept; {BOOT_ID}")
    owner.estate.compute.virtual_machines.begin_restart("g", "vm").result()
    boot_id, kept, disks = owner.ask(f"{BOOT_ID}; cat /var/kept; {DISKS}").split()
    assert (boot_id != before, kept, disks) == (True, "kept", "lun0")


def test_a_larger_os_disk_is_seen_after_the_next_start(owner: Owner) -> None:
    machines = owner.estate.compute.virtual_machines
    before = owner.ask(BOOT_ID)
    assert int(owner.ask(ROOT_SIZE)) < 31
    machines.begin_deallocate("g", "vm").result()
    machines.begin_update("g", "vm", {"properties": {"storageProfile": {"osDisk": {"diskSizeGB": 40}}}}).result()
    machines.begin_start("g", "vm").result()
    size, boot_id, kept = owner.ask(f"{ROOT_SIZE}; {BOOT_ID}; cat /var/kept").split()
    assert (int(size) >= 39, boot_id != before, kept) == (True, True, "kept")


def test_a_public_address_leads_to_the_guest_only_where_a_rule_lets_in(owner: Owner) -> None:
    network: Json = owner.estate.azure.network
    group = network.network_security_groups.begin_create_or_update("g", "nsg", {"location": LOCATION}).result()
    address: Json = {"location": LOCATION, "sku": {"name": "Standard"}}
    address["properties"] = {"publicIPAllocationMethod": "Static"}
    public = network.public_ip_addresses.begin_create_or_update("g", "ip", address).result()
    configuration = {"subnet": {"id": owner.estate.subnet_id}, "publicIPAddress": {"id": public.id}}
    card: Json = {"location": LOCATION, "properties": {"networkSecurityGroup": {"id": group.id}}}
    card["properties"]["ipConfigurations"] = [{"name": "c", "properties": configuration}]
    network.network_interfaces.begin_create_or_update("g", "vm-nic", card).result()
    assert not _greets(owner, str(public.ip_address))
    rule = {
        "properties": {
            "priority": 100,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "22",
        }
    }
    network.security_rules.begin_create_or_update("g", "nsg", "ssh", rule).result()
    assert _greets(owner, str(public.ip_address))


def _greets(owner: Owner, address: str) -> bool:
    """Tell whether an SSH server answers at a public address, asked through the local Azure's proxy."""
    host, port = owner.estate.azure.cloud.proxy.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(address) + (22).to_bytes(2, "big"))
        try:
            answer = connection.recv(10)
            return answer[1:2] == b"\x00" and connection.recv(4) == b"SSH-"
        except OSError:
            return False
