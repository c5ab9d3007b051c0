"""Who has the real guests that several modules of tests look at, booted once, because a boot is what costs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.emulator.compute.estate import LOCATION, Estate, Json
from tests.emulator.qemu.ssh_client import Key, run_over_ssh, write_known_hosts

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.hypervisor import Hypervisor

IMAGE = {"publisher": "Debian", "offer": "debian-12", "version": "latest"}
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
FIRMWARE = "test -d /sys/firmware/efi && echo UEFI || echo BIOS"
CUSTOM_DATA = b"""#cloud-config
write_files: [{path: /etc/custom, content: written}]
runcmd: [[touch, /etc/ran]]
"""
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
INSTANCES = ("0", "1")


@dataclass(frozen=True)
class Owner:
    """Who has the machine ``vm``, of generation 2, and two instances of the scale set ``ss``, of generation 1."""

    estate: Estate
    key: Key
    folder: Path

    def begin(self) -> None:
        """Make all three at once, and return once they are provisioned."""
        data_disks = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 1}]
        machine = self.estate.begin_machine(
            storageProfile={
                "imageReference": {**IMAGE, "sku": "12-gen2"},
                "osDisk": {"createOption": "FromImage", "diskSizeGB": 40},
                "dataDisks": data_disks,
            },
            osProfile=self._os_profile(computerName="vm", customData=base64.b64encode(CUSTOM_DATA).decode()),
        )
        extensions = {"extensions": [{"name": "health", "properties": HEALTH}]}
        profile = self._os_profile(computerNamePrefix="inst")
        body = self.estate.scale_set_body(2, {**IMAGE, "sku": "12"}, extensionProfile=extensions, osProfile=profile)
        body["sku"]["name"] = "Standard_B1s"
        body["properties"]["upgradePolicy"] = POLICY
        scale_set = self.estate.compute.virtual_machine_scale_sets.begin_create_or_update("g", "ss", body)
        machine.result()
        scale_set.result()

    def _os_profile(self, **more: Json) -> Json:
        profile = self.estate.os_profile(**more)
        profile["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] = self.key.public
        return profile

    @property
    def hypervisor(self) -> Hypervisor:
        hypervisor: Hypervisor = self.estate.hypervisor
        return hypervisor

    @property
    def guest(self) -> str:
        """The name by which the hypervisor knows ``vm``."""
        return self.estate.guest_of("vm")

    def guest_of_instance(self, number: str) -> str:
        resource = self.estate.azure.cloud.cloud.store.find(
            self.estate.id("virtualMachineScaleSets", f"ss/virtualMachines/{number}")
        )
        assert resource is not None
        return str(resource.hidden["guest"])

    def ask(self, script: str) -> str:
        return _stdout(self.estate.run(script))

    def ask_instance(self, number: str, script: str) -> str:
        body = {"commandId": "RunShellScript", "script": [script]}
        instances = self.estate.compute.virtual_machine_scale_set_vms
        return _stdout(str(instances.begin_run_command("g", "ss", number, body).result().value[0].message))

    def ask_instances(self, script: str) -> list[str]:
        return [self.ask_instance(number, script) for number in INSTANCES]

    def ssh(self, guest: str, command: str) -> str:
        address = self.hypervisor.forward(guest, 22)
        hosts = write_known_hosts(self.folder / f"{guest}.known", address, self.hypervisor.read_serial_log(guest))
        return run_over_ssh(address, "azureuser", self.key, hosts, command).strip()

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
