from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, Json
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate


def _of_machine(estate: Estate, **properties: Json) -> dict[str, Any]:
    source = {"id": estate.id("virtualMachines", "vm")}
    return {"location": LOCATION, "properties": {"sourceVirtualMachine": source, **properties}}


def test_an_image_describes_the_disk_that_it_was_made_of(estate: Estate) -> None:
    machine = estate.make_generalized()
    answer = estate.call("PUT", "images/image", _of_machine(estate, hyperVGeneration="V2"))
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Creating")
    image = estate.call("GET", "images/image").json()
    assert image["properties"]["storageProfile"] == {
        "osDisk": {
            "osType": "Linux",
            "osState": "Generalized",
            "managedDisk": {"id": machine.storage_profile.os_disk.managed_disk.id},
            "caching": "ReadWrite",
            "storageAccountType": "Premium_LRS",
            "diskSizeGB": 30,
        },
        "dataDisks": [],
    }


def test_an_image_needs_a_generalized_machine(estate: Estate) -> None:
    estate.make_machine()
    answer = estate.call("PUT", "images/image", _of_machine(estate, hyperVGeneration="V2"))
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "OperationNotAllowed",
        "message": "The operation 'Create Image' requires the Virtual Machine 'vm' to be Generalized.",
    }


@pytest.mark.parametrize("properties", [{}, {"hyperVGeneration": "V1"}])
def test_an_image_names_the_generation_of_its_disk(estate: Estate, properties: dict[str, str]) -> None:
    estate.make_generalized()
    error = estate.call("PUT", "images/image", _of_machine(estate, **properties)).json()["error"]
    assert (error["code"], error["target"]) == ("InvalidParameter", "hyperVGeneration")


def test_a_machine_made_from_an_image_has_what_was_in_it_and_is_its_own(estate: Estate) -> None:
    estate.make_machine()
    estate.run("echo baked > /root/note")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.generalize("g", "vm")
    image = {"id": estate.make_image().id}
    for name in ("one", "two"):
        body = estate.machine_body(estate.make_nic(f"{name}-nic"), osProfile=estate.os_profile(computerName=name))
        body["properties"]["storageProfile"]["imageReference"] = image
        estate.compute.virtual_machines.begin_create_or_update("g", name, body).result()
    estate.run("echo changed > /root/note", "one")
    assert "[stdout]\nbaked\n" in estate.run("cat /root/note", "two")
    assert "[stdout]\ntwo\n" in estate.run("hostname", "two")


def test_an_image_in_use_for_a_new_machine_is_not_deleted(estate: Estate) -> None:
    estate.make_generalized()
    image = {"id": estate.make_image().id}
    with estate.failing(boot_seconds=1.0):
        storage = {"imageReference": image, "osDisk": {"createOption": "FromImage"}}
        creating = estate.begin_machine("other", storageProfile=storage)
        status, code, message = refusal(lambda: estate.compute.images.begin_delete("g", "image"))
        creating.result()
    assert (status, code) == (409, "OperationNotAllowed")
    assert "'other' are being provisioned using the Image 'image'" in message
    estate.compute.images.begin_delete("g", "image").result()
    assert "[stdout]\nvm\n" in estate.run("hostname", "other")


def test_an_image_is_made_from_a_disk_or_a_snapshot_too(estate: Estate) -> None:
    disk = estate.make_generalized().storage_profile.os_disk.managed_disk
    creation = {"createOption": "Copy", "sourceResourceId": disk.id}
    snapshot = {"location": LOCATION, "properties": {"creationData": creation}}
    source = estate.compute.snapshots.begin_create_or_update("g", "snap", snapshot).result()
    for key, identifier in (("managedDisk", disk.id), ("snapshot", source.id)):
        facts = {"osType": "Linux", "osState": "Generalized", key: {"id": identifier}}
        body = {
            "location": LOCATION,
            "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": facts}},
        }
        image = estate.compute.images.begin_create_or_update("g", f"of-{key}", body).result()
        assert image.storage_profile.os_disk.disk_size_gb == 30
