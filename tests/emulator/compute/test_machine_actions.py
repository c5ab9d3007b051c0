"""What else can be asked of machines: disks, reimage, sizes, lists, identities, security types, user data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal
from verified_images.emulator.compute.machines.model import fill_os_profile
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json

EPHEMERAL: Json = {"createOption": "FromImage", "caching": "ReadOnly", "diffDiskSettings": {"option": "Local"}}


def _put(estate: Estate, more: Json = None, **properties: Json) -> Json:
    body = estate.machine_body(estate.make_nic(), **properties) | (more or {})
    return estate.call("PUT", "virtualMachines/vm", body)


def _refused(answer: Json) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("action", ["performMaintenance", "convertToManagedDisks", "capture", "reimage"])
def test_what_no_machine_here_can_be_asked_is_refused(estate: Estate, action: str) -> None:
    estate.make_machine()
    assert _refused(estate.call("POST", f"virtualMachines/vm/{action}", {})) == (409, "OperationNotAllowed")


def test_disks_are_attached_and_detached_by_a_call_of_their_own(estate: Estate) -> None:
    estate.make_machine()
    creation = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}
    for name in ("one", "two"):
        body = {"location": LOCATION, "properties": creation, "sku": {"name": "Premium_LRS"}}
        estate.compute.disks.begin_create_or_update("g", name, body).result()
    change = estate.compute.virtual_machines.begin_attach_detach_data_disks
    attach = [{"diskId": estate.id("disks", name), "lun": lun} for lun, name in enumerate(("one", "two"))]
    result = change("g", "vm", {"dataDisksToAttach": attach}).result()
    assert [(disk.lun, disk.name) for disk in result.data_disks] == [(0, "one"), (1, "two")]
    assert estate.compute.disks.get("g", "one").disk_state == "Attached"
    detach = [{"diskId": estate.id("disks", "one")}]
    result = change("g", "vm", {"dataDisksToDetach": detach}).result()
    assert [disk.name for disk in result.data_disks] == ["two"]
    assert estate.compute.disks.get("g", "one").disk_state == "Unattached"
    assert refusal(lambda: change("g", "vm", {"dataDisksToDetach": detach}))[:2] == (400, "InvalidParameter")


def test_a_disk_of_a_running_machine_is_in_use_until_it_is_detached(estate: Estate) -> None:
    estate.make_machine()
    disk: Json = {"lun": 2, "createOption": "Empty", "diskSizeGB": 4, "name": "d"}
    change: Json = {"properties": {"storageProfile": {"dataDisks": [disk]}}}
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    path = Path(estate.disk_path("d"))
    with pytest.raises(HypervisorError, match="is in use by the guest"):
        estate.hypervisor.delete_disk(path)
    change["properties"]["storageProfile"]["dataDisks"] = []
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    estate.compute.disks.begin_delete("g", "d").result()
    assert not path.exists()


def test_a_disk_that_leaves_is_shown_until_it_has_left(estate: Estate) -> None:
    estate.make_machine()
    disk: Json = {"lun": 0, "createOption": "Empty", "diskSizeGB": 4, "name": "d"}
    change = {"properties": {"storageProfile": {"dataDisks": [disk]}}}
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    change["properties"]["storageProfile"]["dataDisks"] = []
    answer = estate.call("PATCH", "virtualMachines/vm", change).json()
    assert [each["toBeDetached"] for each in answer["properties"]["storageProfile"]["dataDisks"]] == [True]
    estate.compute.virtual_machines.begin_reapply("g", "vm").result()
    assert estate.call("GET", "virtualMachines/vm").json()["properties"]["storageProfile"]["dataDisks"] == []


def test_a_first_answer_has_no_names_that_are_not_chosen(estate: Estate) -> None:
    disks = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 4}]
    profile = {**estate.machine_body("")["properties"]["storageProfile"], "dataDisks": disks}
    shown = _put(estate, storageProfile=profile).json()["properties"]["storageProfile"]
    assert "name" not in shown["osDisk"]
    assert "name" not in shown["dataDisks"][0]
    estate.compute.virtual_machines.begin_reapply("g", "vm").result()
    assert "name" in estate.call("GET", "virtualMachines/vm").json()["properties"]["storageProfile"]["dataDisks"][0]


def test_a_change_of_nothing_is_done_at_once(estate: Estate) -> None:
    estate.make_machine()
    body = estate.call("GET", "virtualMachines/vm").json()
    again = estate.call("PUT", "virtualMachines/vm", body)
    assert (again.status_code, again.json()["properties"]["provisioningState"]) == (200, "Updating")
    assert "Azure-AsyncOperation" not in again.headers
    assert estate.call("GET", "virtualMachines/vm").json()["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2024-07-01", ()),
        ("2023-09-01", ("etag",)),
        ("2020-12-01", ("etag", "properties.timeCreated", "properties.storageProfile.osDisk.deleteOption")),
    ],
)
def test_an_older_api_version_shows_less(estate: Estate, version: str, missing: tuple[str, ...]) -> None:
    estate.make_machine()
    body = estate.call("GET", "virtualMachines/vm", api_version=version).json()
    for path in ("etag", "properties.timeCreated", "properties.storageProfile.osDisk.deleteOption"):
        *parents, last = path.split(".")
        found = body
        for key in parents:
            found = found[key]
        assert (last in found) == (path not in missing)


def test_user_data_is_shown_on_demand(estate: Estate) -> None:
    estate.make_machine(userData="aGVsbG8=")
    assert "userData" not in estate.call("GET", "virtualMachines/vm").json()["properties"]
    assert estate.call("GET", "virtualMachines/vm?$expand=userData").json()["properties"]["userData"] == "aGVsbG8="


def test_machines_are_listed_by_location_and_with_their_states(estate: Estate) -> None:
    estate.make_machine()
    base = f"/subscriptions/{estate.azure.cloud.account.subscription_id}/providers/Microsoft.Compute"
    assert len(estate.call("GET", f"{base}/locations/{LOCATION}/virtualMachines").json()["value"]) == 1
    assert estate.call("GET", f"{base}/locations/eastus/virtualMachines").json()["value"] == []
    assert estate.call("GET", f"{base}/locations/nowhere/virtualMachines").status_code == 400
    states = estate.call("GET", f"{base}/virtualMachines?statusOnly=true").json()["value"]
    assert states[0]["properties"]["instanceView"]["statuses"][-1]["code"] == "PowerState/running"
    of_set = f"virtualMachines?$filter='virtualMachineScaleSet/id' eq '{estate.id('virtualMachineScaleSets', 's')}'"
    assert estate.call("GET", of_set).json()["value"] == []
    assert _refused(estate.call("GET", "virtualMachines?$filter=name eq 'vm'"))[0] == 400


def test_sizes_of_a_machine_boot_its_generation(estate: Estate) -> None:
    estate.make_machine()
    names = [size.name for size in estate.compute.virtual_machines.list_available_sizes("g", "vm")]
    assert "Standard_B2ms" in names
    assert "Standard_A1_v2" not in names


def test_an_ephemeral_disk_is_reported_and_renewed_but_never_deallocated(estate: Estate) -> None:
    profile = {**estate.machine_body("")["properties"]["storageProfile"], "osDisk": EPHEMERAL}
    size = {"vmSize": "Standard_D2s_v3"}
    estate.make_machine(storageProfile=profile, hardwareProfile=size)
    disk = estate.call("GET", "virtualMachines/vm").json()["properties"]["storageProfile"]["osDisk"]
    assert disk["diffDiskSettings"] == {"option": "Local", "placement": "CacheDisk"}
    assert _refused(estate.call("POST", "virtualMachines/vm/deallocate")) == (409, "OperationNotAllowed")
    estate.run("touch /root/changed")
    estate.compute.virtual_machines.begin_reimage("g", "vm").result()
    assert "gone" in estate.run("test -e /root/changed || echo gone")


@pytest.mark.parametrize(
    ("size", "change"),
    [("Standard_D2s_v3", {"caching": "ReadWrite"}), ("Standard_D2s_v5", {}), ("Standard_D2s_v3", {"diskSizeGB": 999})],
)
def test_an_ephemeral_disk_that_has_no_room_is_refused(estate: Estate, size: str, change: Json) -> None:
    profile = {**estate.machine_body("")["properties"]["storageProfile"], "osDisk": EPHEMERAL | change}
    answer = _put(estate, storageProfile=profile, hardwareProfile={"vmSize": size})
    assert _refused(answer) == (400, "InvalidParameter")


def test_trusted_launch_is_accepted_and_reported(estate: Estate) -> None:
    security = {"securityType": "trustedLaunch", "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}}
    shown = _put(estate, securityProfile=security).json()["properties"]["securityProfile"]
    assert shown == {**security, "securityType": "TrustedLaunch"}


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"securityProfile": {"securityType": "Nope"}}, "InvalidParameter"),
        ({"securityProfile": {"uefiSettings": {"vTpmEnabled": True}}}, "InvalidParameter"),
        ({"securityProfile": {"securityType": "ConfidentialVM"}}, "BadRequest"),
        (
            {
                "securityProfile": {"securityType": "TrustedLaunch"},
                "hardwareProfile": {"vmSize": "Standard_DC2as_v5"},
            },
            "BadRequest",
        ),
    ],
)
def test_a_security_type_that_does_not_fit_is_refused(estate: Estate, properties: Json, code: str) -> None:
    assert _refused(_put(estate, **properties)) == (400, code)


def test_identities_are_those_of_the_directory(estate: Estate) -> None:
    path = f"{estate.group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
    made = estate.call("PUT", path, {"location": LOCATION}, api_version="2023-01-31")
    assert made.status_code == 201
    identity = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {path: {}}}
    shown = _put(estate, {"identity": identity}).json()["identity"]
    assert shown["tenantId"] == estate.azure.cloud.account.tenant_id
    facts = {key: made.json()["properties"][key] for key in ("principalId", "clientId")}
    assert shown["userAssignedIdentities"] == {path: facts}
    estate.compute.virtual_machines.begin_reapply("g", "vm").result()
    missing = {"type": "UserAssigned", "userAssignedIdentities": {f"{path}-not": {}}}
    answer = estate.call("PATCH", "virtualMachines/vm", {"identity": missing})
    assert _refused(answer) == (400, "FailedIdentityOperation")
    assert _refused(estate.call("PATCH", "virtualMachines/vm", {"identity": {"type": "Nope"}}))[0] == 400


def test_keys_of_a_machine_do_not_change(estate: Estate) -> None:
    estate.make_machine()
    keys = [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": "ssh-ed25519 " + "A" * 50}]
    profile = {"linuxConfiguration": {"ssh": {"publicKeys": keys}}}
    answer = estate.call("PATCH", "virtualMachines/vm", {"properties": {"osProfile": profile}})
    assert answer.json()["error"]["target"] == "linuxConfiguration.ssh.publicKeys"


def test_what_windows_is_told_is_reported_with_its_defaults() -> None:
    filled = fill_os_profile({"windowsConfiguration": {"enableAutomaticUpdates": False}}, "vm")
    assert filled["windowsConfiguration"] == {
        "provisionVMAgent": True,
        "enableAutomaticUpdates": False,
        "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
    }


def test_a_card_is_added_only_to_a_machine_that_is_off(estate: Estate) -> None:
    estate.make_machine()
    first = estate.call("GET", "virtualMachines/vm").json()["properties"]["networkProfile"]["networkInterfaces"][0]
    cards = [
        {**first, "properties": {"primary": True}},
        {"id": estate.make_nic("second"), "properties": {"primary": False}},
    ]
    change = {"properties": {"networkProfile": {"networkInterfaces": cards}}}
    assert estate.call("PATCH", "virtualMachines/vm", change).status_code == 409
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    assert estate.azure.network.network_interfaces.get("g", "second").virtual_machine is not None
    change["properties"]["networkProfile"]["networkInterfaces"] = [cards[0]]
    estate.compute.virtual_machines.begin_update("g", "vm", change).result()
    assert estate.azure.network.network_interfaces.get("g", "second").virtual_machine is None


def test_updates_are_assessed_and_installed_by_the_guest(estate: Estate) -> None:
    estate.make_machine()
    machines = estate.compute.virtual_machines
    assessed = machines.begin_assess_patches("g", "vm").result()
    assert (assessed.status, assessed.other_patch_count, assessed.reboot_pending) == ("Succeeded", 0, False)
    installed = machines.begin_install_patches("g", "vm", {"rebootSetting": "Never"}).result()
    assert (installed.status, installed.failed_patch_count) == ("Succeeded", 0)
    assert refusal(lambda: machines.begin_install_patches("g", "vm", {}))[:2] == (400, "InvalidParameter")
