from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, MARKETPLACE, Json

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

URI = "https://vhdsofg.blob.core.windows.net/vhds/os.vhd"
ACCOUNT = {"location": LOCATION, "sku": {"name": "Standard_GRS"}, "kind": "StorageV2"}


def _call_storage(estate: Estate, method: str, path: str, body: Json = None) -> Any:  # noqa: ANN401 - any JSON value
    url = f"{estate.group_id}/providers/Microsoft.Storage/storageAccounts{path}?api-version=2023-05-01"
    return estate.call(method, url, body)


def _make_account(estate: Estate) -> None:
    accepted = _call_storage(estate, "PUT", "/vhdsofg", ACCOUNT)
    assert accepted.status_code == 202
    assert "Azure-AsyncOperation" not in accepted.headers
    assert accepted.content == b""
    made = estate.call("GET", accepted.headers["Location"])
    assert (made.status_code, made.json()["name"]) == (200, "vhdsofg")


def _wait(estate: Estate, answer: Any) -> None:  # noqa: ANN401 - an answer
    while (status := estate.call("GET", answer.headers["Azure-AsyncOperation"]).json())["status"] == "InProgress":
        time.sleep(0.01)
    assert status["status"] == "Succeeded", status


def _os_disk(**more: Json) -> dict[str, Any]:
    return {"name": "os", "createOption": "fromImage", "vhd": {"uri": URI}, **more}


def _create(estate: Estate, os_disk: dict[str, Any], **more: Json) -> Any:  # noqa: ANN401 - an answer
    storage = {"imageReference": dict(MARKETPLACE), "osDisk": os_disk, **more}
    body = estate.machine_body(estate.make_nic(), storageProfile=storage)
    return estate.call("PUT", "virtualMachines/vm", body)


def test_a_machine_boots_from_a_vhd_and_an_image_is_made_of_it(estate: Estate) -> None:
    _make_account(estate)
    created = _create(estate, _os_disk())
    assert created.status_code == 201
    assert "diskSizeGB" not in created.json()["properties"]["storageProfile"]["osDisk"]
    _wait(estate, created)
    estate.run("echo baked > /root/note")
    machine = estate.call("GET", "virtualMachines/vm").json()
    disk = machine["properties"]["storageProfile"]["osDisk"]
    assert (disk["vhd"], disk["diskSizeGB"]) == ({"uri": URI}, 30)
    assert "managedDisk" not in disk
    assert estate.call("GET", "disks").json()["value"] == []
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.generalize("g", "vm")
    image = estate.make_image()
    assert image.storage_profile.os_disk.blob_uri == URI
    body = estate.machine_body(estate.make_nic("other"), osProfile=estate.os_profile(computerName="other"))
    body["properties"]["storageProfile"]["imageReference"] = {"id": image.id}
    estate.compute.virtual_machines.begin_create_or_update("g", "other", body).result()
    assert "[stdout]\nbaked\n" in estate.run("cat /root/note", "other")


def test_an_account_with_the_disk_of_a_machine_stays_and_the_disk_outlives_the_machine(estate: Estate) -> None:
    _make_account(estate)
    _wait(estate, _create(estate, _os_disk()))
    refused = _call_storage(estate, "DELETE", "/vhdsofg")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "StorageAccountInUse")
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    attached = estate.machine_body(estate.make_nic(), osProfile=None)
    attached["properties"]["storageProfile"] = {"osDisk": _os_disk(createOption="Attach", osType="Linux")}
    _wait(estate, estate.call("PUT", "virtualMachines/vm", attached))
    assert "[stdout]\nvm\n" in estate.run("hostname")
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert _call_storage(estate, "DELETE", "/vhdsofg").status_code == 200
    assert _call_storage(estate, "DELETE", "/vhdsofg").status_code == 204
    assert estate.files("disks") == []


@pytest.mark.parametrize(
    ("os_disk", "more", "code"),
    [
        (_os_disk(vhd={"uri": "https://nowhere.blob.core.windows.net/vhds/os.vhd"}), {}, "StorageAccountNotFound"),
        (_os_disk(vhd={"uri": "os.vhd"}), {}, "InvalidParameter"),
        (_os_disk(name=None), {}, "InvalidParameter"),
        (_os_disk(), {"dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 1}]}, "OperationNotAllowed"),
        (_os_disk(createOption="Attach", osType="Linux"), {}, "DiskBlobNotFound"),
    ],
)
def test_a_vhd_that_cannot_be_is_refused(estate: Estate, os_disk: Json, more: Json, code: str) -> None:
    _make_account(estate)
    assert _create(estate, os_disk, **more).json()["error"]["code"] == code


def test_the_name_of_an_account_is_taken_once(estate: Estate) -> None:
    base = f"/subscriptions/{estate.azure.cloud.account.subscription_id}/providers/Microsoft.Storage"
    asked = f"{base}/checkNameAvailability?api-version=2023-05-01"
    body = {"name": "vhdsofg", "type": "Microsoft.Storage/storageAccounts"}
    assert estate.call("POST", asked, body).json() == {"nameAvailable": True}
    _make_account(estate)
    assert estate.call("POST", asked, body).json()["reason"] == "AlreadyExists"
    assert estate.call("POST", asked, {**body, "name": "No!"}).json()["reason"] == "AccountNameInvalid"
    estate.azure.resources.resource_groups.create_or_update("other", {"location": LOCATION})
    elsewhere = (
        f"{estate.group_id[:-1]}other/providers/Microsoft.Storage/storageAccounts/vhdsofg?api-version=2023-05-01"
    )
    assert estate.call("PUT", elsewhere, ACCOUNT).json()["error"]["code"] == "StorageAccountAlreadyTaken"


def test_an_account_has_two_keys_and_is_changed_at_once(estate: Estate) -> None:
    _make_account(estate)
    keys = _call_storage(estate, "POST", "/vhdsofg/listKeys").json()["keys"]
    again = _call_storage(estate, "POST", "/vhdsofg/regenerateKey", {"keyName": "key2"}).json()["keys"]
    assert [key["keyName"] for key in keys] == ["key1", "key2"]
    assert [one["value"] == other["value"] for one, other in zip(keys, again, strict=True)] == [True, False]
    changed = _call_storage(estate, "PATCH", "/vhdsofg", {"tags": {"team": "platform"}})
    assert (changed.status_code, changed.json()["tags"]) == (200, {"team": "platform"})
    listed = _call_storage(estate, "GET", "").json()["value"]
    assert [each["properties"]["secondaryLocation"] for each in listed] == ["northeurope"]
    assert _call_storage(estate, "PUT", "/vhdsofg", ACCOUNT).status_code == 200


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("Vhds", {}, "AccountNameInvalid"),
        ("vhds", {"sku": {"name": "Premium_GRS"}}, "InvalidValuesForRequestParameters"),
        ("vhds", {"kind": "Disks"}, "InvalidValuesForRequestParameters"),
        ("vhds", {"sku": None}, "InvalidParameter"),
    ],
)
def test_an_account_that_azure_does_not_have_is_refused(estate: Estate, name: str, change: Json, code: str) -> None:
    answer = _call_storage(estate, "PUT", f"/{name}", {**ACCOUNT, **change})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


def test_a_deallocated_machine_gets_managed_disks_with_what_was_on_its_vhds(estate: Estate) -> None:
    _make_account(estate)
    data_disk = {"lun": 0, "name": "data", "createOption": "Empty", "diskSizeGB": 1}
    data_disk["vhd"] = {"uri": URI.replace("os.vhd", "data.vhd")}
    _wait(estate, _create(estate, _os_disk(), dataDisks=[data_disk]))
    estate.run("echo kept > /root/note")
    refused = estate.call("POST", "virtualMachines/vm/convertToManagedDisks")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "OperationNotAllowed")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.begin_convert_to_managed_disks("g", "vm").result()
    machine = estate.compute.virtual_machines.get("g", "vm")
    disks = [machine.storage_profile.os_disk, *machine.storage_profile.data_disks]
    assert [disk.vhd for disk in disks] == [None, None]
    assert [disk.managed_disk.id for disk in disks] == [estate.id("disks", "os"), estate.id("disks", "data")]
    estate.compute.virtual_machines.begin_start("g", "vm").result()
    assert "[stdout]\nkept\n" in estate.run("cat /root/note")
    assert _call_storage(estate, "DELETE", "/vhdsofg").status_code == 200
