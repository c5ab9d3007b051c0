from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION, Json
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

GIBIBYTE = 1024**3


def _disk(**creation: Json) -> dict[str, Any]:
    size = creation.pop("size", None)
    return {"location": LOCATION, "properties": {"creationData": creation, **({"diskSizeGB": size} if size else {})}}


def _make(estate: Estate, name: str, **creation: Json) -> Json:
    return estate.compute.disks.begin_create_or_update("g", name, _disk(**creation)).result()


def _on_disk(estate: Estate, disk: str) -> dict[str, Any]:
    """Give the body of a machine that boots from a disk."""
    body = estate.machine_body(estate.make_nic())
    del body["properties"]["osProfile"]
    managed = {"id": estate.id("disks", disk)}
    body["properties"]["storageProfile"] = {
        "osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": managed}
    }
    return body


def _size_of(estate: Estate, name: str) -> int:
    return int(estate.hypervisor.disk_size(Path(estate.disk_path(name))))


def test_an_empty_disk_is_made_with_a_file(estate: Estate) -> None:
    answer = estate.call("PUT", "disks/d", _disk(createOption="Empty", size=4))
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (202, "Updating")
    assert "Azure-AsyncOperation" in answer.headers
    assert "/DiskOperations/" in answer.headers["Location"]
    disk = estate.call("GET", "disks/d").json()
    assert disk["sku"] == {"name": "Standard_LRS", "tier": "Standard"}
    assert disk["properties"]["diskState"] == "Unattached"
    assert disk["properties"]["diskSizeBytes"] == 4 * GIBIBYTE
    assert _size_of(estate, "d") == 4 * GIBIBYTE


def test_a_disk_needs_size_or_source(estate: Estate) -> None:
    for creation, target in (
        ({}, "disk.creationData.createOption"),
        ({"createOption": "Empty"}, "disk.diskSizeGB"),
        ({"createOption": "Copy"}, "disk.creationData.sourceResourceId"),
    ):
        error = estate.call("PUT", "disks/d", _disk(**creation)).json()["error"]
        assert (error["code"], error["target"]) == ("InvalidParameter", target)
    nowhere = _disk(createOption="Copy", sourceResourceId=estate.id("disks", "none"))
    assert estate.call("PUT", "disks/d", nowhere).json()["error"]["code"] == "ResourceNotFound"


def test_an_attached_disk_is_not_deleted(estate: Estate) -> None:
    disk = estate.make_machine().storage_profile.os_disk.name
    status, code, message = refusal(lambda: estate.compute.disks.begin_delete("g", disk))
    assert (status, code) == (409, "OperationNotAllowed")
    assert message == f"Disk {disk} is attached to VM {estate.id('virtualMachines', 'vm')}."


def test_a_disk_grows_and_never_shrinks(estate: Estate) -> None:
    _make(estate, "d", createOption="Empty", size=4)
    estate.compute.disks.begin_update("g", "d", {"properties": {"diskSizeGB": 8}}).result()
    assert estate.compute.disks.get("g", "d").disk_size_gb == 8
    assert _size_of(estate, "d") == 8 * GIBIBYTE
    refused = refusal(lambda: estate.compute.disks.begin_update("g", "d", {"properties": {"diskSizeGB": 4}}))
    assert refused[:2] == (400, "InvalidParameter")


def test_the_disk_of_a_machine_grows_while_it_is_deallocated(estate: Estate) -> None:
    disk = estate.make_machine().storage_profile.os_disk.name
    estate.run("echo kept > /root/note")
    change = {"properties": {"diskSizeGB": 40}}
    assert "to be deallocated" in refusal(lambda: estate.compute.disks.begin_update("g", disk, change))[2]
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.disks.begin_update("g", disk, change).result()
    assert _size_of(estate, disk) == 40 * GIBIBYTE
    estate.compute.virtual_machines.begin_start("g", "vm").result()
    assert "[stdout]\nkept\n" in estate.run("cat /root/note")


def test_a_copy_of_a_disk_goes_its_own_way(estate: Estate) -> None:
    machine = estate.make_machine()
    disk = machine.storage_profile.os_disk
    estate.run("echo first > /root/note")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    _make(estate, "copy", createOption="Copy", sourceResourceId=disk.managed_disk.id)
    assert estate.compute.disks.get("g", "copy").hyper_v_generation == "V2"
    estate.compute.virtual_machines.begin_start("g", "vm").result()
    estate.run("echo second > /root/note")
    body = _on_disk(estate, "copy")
    estate.compute.virtual_machines.begin_create_or_update("g", "other", body).result()
    assert "[stdout]\nfirst\n" in estate.run("cat /root/note", "other")
    assert "[stdout]\nsecond\n" in estate.run("cat /root/note")
    taken = refusal(lambda: estate.compute.virtual_machines.begin_create_or_update("g", "third", body))
    assert taken[:2] in {(400, "NicInUse"), (409, "ConflictingUserInput")}


def test_data_disks_are_attached_and_detached(estate: Estate) -> None:
    estate.make_machine()
    _make(estate, "data", createOption="Empty", size=4)
    body = estate.call("GET", "virtualMachines/vm").json()
    body["properties"]["storageProfile"]["dataDisks"] = [
        {"lun": 0, "createOption": "Attach", "managedDisk": {"id": estate.id("disks", "data")}},
        {"lun": 1, "createOption": "Empty", "name": "fresh", "diskSizeGB": 2},
    ]
    machine = estate.compute.virtual_machines.begin_create_or_update("g", "vm", body).result()
    assert [disk.name for disk in machine.storage_profile.data_disks] == ["data", "fresh"]
    assert estate.compute.disks.get("g", "data").managed_by == estate.id("virtualMachines", "vm")
    machine = estate.compute.virtual_machines.begin_update(
        "g", "vm", {"properties": {"storageProfile": {"dataDisks": []}}}
    ).result()
    assert machine.storage_profile.data_disks == []
    assert {disk.name: disk.disk_state for disk in estate.compute.disks.list() if "disk1" not in disk.name} == {
        "data": "Unattached",
        "fresh": "Unattached",
    }


def test_two_disks_on_one_lun_are_refused(estate: Estate) -> None:
    disks = [{"lun": 0, "createOption": "Empty", "diskSizeGB": 1}] * 2
    body = estate.machine_body(estate.make_nic())
    body["properties"]["storageProfile"]["dataDisks"] = disks
    error = estate.call("PUT", "virtualMachines/vm", body).json()["error"]
    assert error["message"] == "Cannot attach two disks at the same LUN 0."


def test_a_snapshot_keeps_what_the_disk_held(estate: Estate) -> None:
    disk = estate.make_machine().storage_profile.os_disk
    estate.run("echo first > /root/note")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    creation = {"createOption": "Copy", "sourceResourceId": disk.managed_disk.id}
    body = {"location": LOCATION, "properties": {"creationData": creation}}
    snapshot = estate.compute.snapshots.begin_create_or_update("g", "snap", body).result()
    assert (snapshot.disk_size_gb, snapshot.os_type, snapshot.incremental) == (30, "Linux", False)
    _make(estate, "restored", createOption="Copy", sourceResourceId=snapshot.id)
    estate.compute.snapshots.begin_delete("g", "snap").result()
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    estate.compute.disks.begin_delete("g", disk.name).result()
    body = _on_disk(estate, "restored")
    estate.compute.virtual_machines.begin_create_or_update("g", "again", body).result()
    assert "[stdout]\nfirst\n" in estate.run("cat /root/note", "again")


def test_a_snapshot_is_made_while_the_machine_runs(estate: Estate) -> None:
    disk = estate.make_machine().storage_profile.os_disk
    estate.run("echo first > /root/note")
    creation = {"createOption": "Copy", "sourceResourceId": disk.managed_disk.id}
    body = {"location": LOCATION, "properties": {"creationData": creation}}
    estate.compute.snapshots.begin_create_or_update("g", "snap", body).result()
    estate.run("echo second > /root/note")
    _make(estate, "restored", createOption="Copy", sourceResourceId=estate.id("snapshots", "snap"))
    other = _on_disk(estate, "restored")
    estate.compute.virtual_machines.begin_create_or_update("g", "again", other).result()
    assert "[stdout]\nfirst\n" in estate.run("cat /root/note", "again")
    assert "[stdout]\nsecond\n" in estate.run("cat /root/note")
