from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, PUBLIC_KEY, Estate, Json, power_state
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_a_new_machine_shows_the_defaults_that_azure_fills_in(estate: Estate) -> None:
    estate.make_machine()
    body = estate.call("GET", "virtualMachines/vm").json()
    properties, profile = body["properties"], body["properties"]["storageProfile"]
    assert properties["provisioningState"] == "Succeeded"
    assert _GUID.fullmatch(properties["vmId"])
    assert profile["imageReference"]["exactVersion"] == "0.20250814.2204"
    disk = profile["osDisk"]
    assert re.fullmatch(r"vm_disk1_[0-9a-f]{32}", disk["name"])
    assert disk["managedDisk"] == {"storageAccountType": "Premium_LRS", "id": estate.id("disks", disk["name"])}
    assert {key: disk[key] for key in ("osType", "createOption", "caching", "deleteOption", "diskSizeGB")} == {
        "osType": "Linux",
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "deleteOption": "Detach",
        "diskSizeGB": 30,
    }
    assert profile["dataDisks"] == []
    assert properties["osProfile"] == {
        "computerName": "vm",
        "adminUsername": "azureuser",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": PUBLIC_KEY}]},
            "provisionVMAgent": True,
            "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
        },
        "secrets": [],
        "allowExtensionOperations": True,
        "requireGuestProvisionSignal": True,
    }


def test_secrets_are_never_given_back(estate: Estate) -> None:
    profile = {
        "computerName": "vm",
        "adminUsername": "azureuser",
        "adminPassword": "Planted-secret-1",
        "customData": "cGxhbnRlZC1zZWNyZXQtMg==",
    }
    nic = estate.make_nic()
    body = estate.machine_body(nic, osProfile=profile, userData="cGxhbnRlZC1zZWNyZXQtMw==")
    first = estate.call("PUT", "virtualMachines/vm", body)
    again = estate.machine_body(nic)
    del again["properties"]["osProfile"]
    estate.compute.virtual_machines.begin_create_or_update("g", "vm", again).result()
    texts = [
        first.text,
        *(estate.call("GET", f"virtualMachines{part}").text for part in ("", "/vm", "/vm?$expand=instanceView")),
    ]
    assert not any("lanted" in text or "cGxhbnRlZ" in text for text in texts)


def test_the_instance_view_tells_what_the_machine_is_doing(estate: Estate) -> None:
    diagnostics = {"bootDiagnostics": {"enabled": True, "storageUri": "https://logs.blob.core.windows.net/"}}
    estate.make_machine(diagnosticsProfile=diagnostics)
    assert estate.call("GET", "virtualMachines/vm").json()["properties"]["diagnosticsProfile"] == diagnostics
    view = estate.call("GET", "virtualMachines/vm/instanceView").json()
    assert view["computerName"] == "vm"
    assert view["hyperVGeneration"] == "V2"
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    assert [status["code"] for status in view["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert "instanceView" not in estate.call("GET", "virtualMachines/vm").json()["properties"]
    expanded = estate.call("GET", "virtualMachines/vm?$expand=instanceview").json()["properties"]["instanceView"]
    assert [status["code"] for status in expanded["statuses"]] == [status["code"] for status in view["statuses"]]


def test_power_actions_move_between_the_states(estate: Estate) -> None:
    estate.make_machine()
    machines = estate.compute.virtual_machines

    def state() -> str:
        return power_state(machines.instance_view("g", "vm"))

    for action, expected in (
        (machines.begin_power_off, "stopped"),
        (machines.begin_start, "running"),
        (machines.begin_restart, "running"),
        (machines.begin_redeploy, "running"),
        (machines.begin_reapply, "running"),
        (machines.begin_deallocate, "deallocated"),
        (machines.begin_start, "running"),
    ):
        action("g", "vm").result()
        assert state() == f"PowerState/{expected}"
        assert machines.get("g", "vm").provisioning_state == "Succeeded"
        assert estate.hypervisor.is_running(estate.guest_of()) == (expected == "running")


def test_what_a_guest_writes_survives_its_restarts(estate: Estate) -> None:
    estate.make_machine()
    estate.run("echo kept > /root/note")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.begin_start("g", "vm").result()
    assert "[stdout]\nkept\n" in estate.run("cat /root/note")


def test_a_deallocated_machine_hides_what_it_has_no_hardware_for(estate: Estate) -> None:
    estate.make_machine()
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    disk = estate.call("GET", "virtualMachines/vm").json()["properties"]["storageProfile"]["osDisk"]
    assert "diskSizeGB" not in disk
    assert list(disk["managedDisk"]) == ["id"]
    assert estate.compute.disks.get("g", disk["name"]).disk_state == "Reserved"


def test_a_running_machine_is_not_generalized(estate: Estate) -> None:
    estate.make_machine()
    assert refusal(lambda: estate.compute.virtual_machines.generalize("g", "vm"))[:2] == (409, "OperationNotAllowed")


@pytest.mark.parametrize("stop", ["begin_deallocate", "begin_power_off", "begin_redeploy"])
def test_a_machine_is_generalized_after_what_the_recordings_show(estate: Estate, stop: str) -> None:
    estate.make_machine()
    getattr(estate.compute.virtual_machines, stop)("g", "vm").result()
    before = estate.call("GET", "virtualMachines/vm").json()
    assert estate.call("POST", "virtualMachines/vm/generalize").status_code == 200
    assert estate.call("GET", "virtualMachines/vm").json() == before
    codes = [status.code for status in estate.compute.virtual_machines.instance_view("g", "vm").statuses]
    assert "OSState/generalized" in codes


def test_a_generalized_machine_does_not_start_again(estate: Estate) -> None:
    estate.make_generalized()
    assert refusal(lambda: estate.compute.virtual_machines.begin_start("g", "vm")) == (
        409,
        "OperationNotAllowed",
        "Operation 'start' is not allowed on VM 'vm' since the VM is generalized.",
    )


def test_deleting_a_machine_leaves_disk_and_card_unless_told_otherwise(estate: Estate) -> None:
    machine = estate.make_machine()
    disk = machine.storage_profile.os_disk.name
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert estate.compute.disks.get("g", disk).disk_state == "Unattached"
    assert estate.compute.disks.get("g", disk).managed_by is None
    assert estate.azure.network.network_interfaces.get("g", "vm-nic").virtual_machine is None


def test_delete_options_take_disks_and_card_along(estate: Estate) -> None:
    nic = estate.make_nic()
    body = estate.machine_body(nic)
    body["properties"]["storageProfile"] |= {
        "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
        "dataDisks": [
            {"lun": 0, "createOption": "Empty", "diskSizeGB": 4, "deleteOption": "Delete"},
            {"lun": 1, "createOption": "Empty", "diskSizeGB": 4, "name": "stays"},
        ],
    }
    body["properties"]["networkProfile"]["networkInterfaces"][0]["properties"] = {"deleteOption": "Delete"}
    estate.compute.virtual_machines.begin_create_or_update("g", "vm", body).result()
    assert len(list(estate.compute.disks.list())) == 3
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert [disk.name for disk in estate.compute.disks.list()] == ["stays"]
    assert list(estate.azure.network.network_interfaces.list("g")) == []


def test_deleting_what_is_not_there_is_no_error(estate: Estate) -> None:
    assert estate.call("DELETE", "virtualMachines/none").status_code == 204


def test_tags_change_by_patch_and_nothing_else(estate: Estate) -> None:
    estate.make_machine()
    before = estate.call("GET", "virtualMachines/vm").json()
    estate.compute.virtual_machines.begin_update("g", "vm", {"tags": {"a": "b"}}).result()
    after = estate.call("GET", "virtualMachines/vm").json()
    assert after.pop("tags") == {"a": "b"}
    assert after.pop("etag") != before.pop("etag")
    assert after == before


def _without(path: str) -> Callable[[dict[str, Any]], None]:
    def change(properties: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            properties = properties[key]
        del properties[last]

    return change


def _with(**changes: Json) -> Callable[[dict[str, Any]], None]:
    def change(properties: dict[str, Any]) -> None:
        for path, value in changes.items():
            *parents, last = path.split("__")
            target = properties
            for key in parents:
                target = target[key]
            target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "status", "code", "target"),
    [
        (_without("hardwareProfile"), 400, "InvalidParameter", "hardwareProfile.vmSize"),
        (_without("osProfile"), 400, "InvalidParameter", "osProfile"),
        (_without("osProfile.adminUsername"), 400, "InvalidParameter", "adminUsername"),
        (_without("networkProfile"), 400, "InvalidParameter", "networkProfile"),
        (_without("storageProfile.imageReference"), 400, "InvalidParameter", "imageReference"),
        (_with(osProfile__adminUsername="root"), 400, "InvalidParameter", "adminUsername"),
        (_with(osProfile__computerName="a_b"), 400, "InvalidParameter", "computerName"),
        (_with(osProfile__customData="no base64!"), 400, "InvalidParameter", "customData"),
        (_with(hardwareProfile__vmSize="Standard_Nope"), 400, "InvalidParameter", "vmSize"),
        (_with(hardwareProfile__vmSize="Standard_A1_v2"), 400, "BadRequest", None),
        (_with(storageProfile__imageReference__sku="nope"), 404, "PlatformImageNotFound", "imageReference"),
        (_with(storageProfile__osDisk__diskSizeGB=8), 400, "ResizeDiskError", "osDisk.diskSizeGB"),
    ],
)
def test_a_model_that_azure_refuses_is_refused(
    estate: Estate, change: Callable[[dict[str, Any]], None], status: int, code: str, target: str | None
) -> None:
    body = estate.machine_body(estate.make_nic())
    change(body["properties"])
    answer = estate.call("PUT", "virtualMachines/vm", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("target")) == (status, code, target)
    assert estate.call("GET", "virtualMachines/vm").status_code == 404


def test_a_card_serves_one_machine(estate: Estate) -> None:
    estate.make_machine()
    nic = estate.azure.network.network_interfaces.get("g", "vm-nic").id or ""
    answer = estate.call("PUT", "virtualMachines/other", estate.machine_body(nic))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "NicInUse")


def test_the_quota_of_cores_is_enforced_and_counted(estate: Estate) -> None:
    answer = estate.call("PUT", "virtualMachineScaleSets/ss", estate.scale_set_body(capacity=51))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OperationNotAllowed")
    assert "Current Limit: 100, Current Usage: 0, Additional Required: 102" in answer.json()["error"]["message"]
    estate.make_machine()
    usages = {usage.name.value: usage.current_value for usage in estate.compute.usage.list(LOCATION)}
    assert (usages["cores"], usages["virtualMachines"], usages["standardBSFamily"]) == (2, 1, 2)
    elsewhere = {usage.name.value: usage.current_value for usage in estate.compute.usage.list("eastus")}
    assert elsewhere["cores"] == 0


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"priority": "Spot"}, "priority"),
        ({"osProfile": {"computerName": "other"}}, "osProfile.computerName"),
        ({"osProfile": {"adminUsername": "other"}}, "osProfile.adminUsername"),
        ({"storageProfile": {"imageReference": {"sku": "12"}}}, "imageReference.sku"),
        ({"storageProfile": {"osDisk": {"name": "other"}}}, "osDisk.name"),
    ],
)
def test_what_cannot_change_is_refused(estate: Estate, change: dict[str, Any], target: str) -> None:
    estate.make_machine()
    answer = estate.call("PATCH", "virtualMachines/vm", {"properties": change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["target"]) == (409, "PropertyChangeNotAllowed", target)


def test_a_machine_that_is_put_back_as_it_was_read_stays_the_same(estate: Estate) -> None:
    estate.make_machine()
    before = estate.call("GET", "virtualMachines/vm").json()
    assert estate.call("PUT", "virtualMachines/vm", before).status_code == 200
    estate.compute.virtual_machines.begin_reapply("g", "vm").result()
    after = estate.call("GET", "virtualMachines/vm").json()
    for body in (before, after):
        body.pop("etag")
    assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)
    assert estate.hypervisor.is_running(estate.guest_of())


def test_another_size_restarts_the_guest(estate: Estate) -> None:
    estate.make_machine()
    estate.run("touch /run/since-boot")
    change = {"properties": {"hardwareProfile": {"vmSize": "Standard_B2ms"}}}
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    assert estate.compute.virtual_machines.get("g", "vm").hardware_profile.vm_size == "Standard_B2ms"
    assert "gone" in estate.run("test -e /run/since-boot || echo gone")
