"""What happens when calls on one machine meet, and when a guest does not come up."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.emulator.compute.estate import LOCATION, Estate, power_state
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from collections.abc import Callable


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("moment", ["at once", "while it boots"])
def test_a_deletion_preempts_the_creation(estate: Estate, moment: str) -> None:
    with estate.failing(boot_seconds=60.0):
        creating = estate.begin_machine()
        if moment == "while it boots":
            _until(lambda: estate.hypervisor.is_running(estate.guest_of()))
        began = time.monotonic()
        estate.compute.virtual_machines.begin_delete("g", "vm").result()
        assert time.monotonic() - began < 20
        assert estate.call("GET", "virtualMachines/vm").status_code == 404
        with pytest.raises(HttpResponseError) as preempted:
            creating.result()
    assert preempted.value.error is not None
    assert preempted.value.error.code == "OperationPreempted"
    assert estate.guests() == []
    assert all(disk.managed_by is None for disk in estate.compute.disks.list())


def test_a_preempted_operation_is_canceled(estate: Estate) -> None:
    with estate.failing(boot_seconds=60.0):
        answer = estate.call("PUT", "virtualMachines/vm", estate.machine_body(estate.make_nic()))
        assert answer.headers["Retry-After"] == "10"
        url = answer.headers["Azure-AsyncOperation"]
        assert estate.call("GET", url).json()["status"] == "InProgress"
        estate.compute.virtual_machines.begin_delete("g", "vm").result()
    status = estate.call("GET", url).json()
    assert (status["status"], status["error"]["code"]) == ("Canceled", "OperationPreempted")


def test_a_group_is_deleted_with_what_is_being_made_in_it(estate: Estate) -> None:
    with estate.failing(boot_seconds=60.0):
        estate.begin_machine()
        estate.begin_scale_set()
        _until(lambda: len(estate.guests()) == 3)
        estate.azure.resources.resource_groups.begin_delete("g").result()
    assert estate.files("disks") == estate.files("images") == []
    assert estate.guests() == []
    assert list(estate.azure.resources.resources.list()) == []


def test_a_machine_that_is_being_deleted_takes_no_other_call(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.make_machine()
    body = estate.call("GET", "virtualMachines/vm").json()
    forget = estate.hypervisor.forget

    def dawdle(name: str) -> None:
        time.sleep(1)
        forget(name)

    monkeypatch.setattr(estate.hypervisor, "forget", dawdle)
    deleting = estate.compute.virtual_machines.begin_delete("g", "vm")
    assert estate.call("GET", "virtualMachines/vm").json()["properties"]["provisioningState"] == "Deleting"
    for answer in (
        estate.call("PUT", "virtualMachines/vm", body),
        estate.call("PATCH", "virtualMachines/vm", {"tags": {}}),
        estate.call("POST", "virtualMachines/vm/start"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OperationNotAllowed")
        assert "marked for deletion" in answer.json()["error"]["message"]
    again = estate.compute.virtual_machines.begin_delete("g", "vm")
    deleting.result()
    again.result()


def test_calls_on_one_machine_are_carried_out_in_their_order(estate: Estate) -> None:
    estate.make_machine()
    machines = estate.compute.virtual_machines
    pollers = [
        action("g", "vm") for action in (machines.begin_deallocate, machines.begin_start, machines.begin_power_off)
    ]
    for poller in pollers:
        poller.result()
    assert power_state(machines.instance_view("g", "vm")) == "PowerState/stopped"


def test_calls_of_many_clients_on_one_machine_leave_it_whole(estate: Estate) -> None:
    estate.make_machine()
    machines = estate.compute.virtual_machines
    actions = [machines.begin_deallocate, machines.begin_start, machines.begin_restart, machines.begin_power_off] * 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda action: action("g", "vm").result(), actions))
    machines.begin_start("g", "vm").result()
    assert power_state(machines.instance_view("g", "vm")) == "PowerState/running"
    assert "[stdout]\nvm\n" in estate.run("hostname")


def test_an_image_waits_for_what_is_done_on_its_machine(estate: Estate) -> None:
    estate.make_machine()
    estate.run("echo late > /root/note")
    machines = estate.compute.virtual_machines
    deallocating = machines.begin_power_off("g", "vm")
    deallocating.result()
    machines.generalize("g", "vm")
    again = machines.begin_deallocate("g", "vm")
    image = estate.make_image()
    again.result()
    storage = {"imageReference": {"id": image.id}, "osDisk": {"createOption": "FromImage"}}
    estate.make_machine("other", storageProfile=storage)
    assert "[stdout]\nlate\n" in estate.run("cat /root/note", "other")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"cannot_start": "no room for the guest"}, "InternalExecutionError"),
        ({"never_provisioned": True}, "OSProvisioningTimedOut"),
    ],
)
def test_a_machine_that_does_not_come_up_is_failed_and_can_be_deleted(
    estate: Estate, fault: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verified_images.emulator.compute.machines.guests.BOOT_SECONDS", 0.5)
    with estate.failing(**fault):
        assert refusal(estate.make_machine)[1] == code
    assert estate.compute.virtual_machines.get("g", "vm").provisioning_state == "Failed"
    codes = [status.code for status in estate.compute.virtual_machines.instance_view("g", "vm").statuses]
    assert codes[0] == "ProvisioningState/failed"
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert estate.guests() == []


def test_a_failed_machine_comes_up_when_it_is_put_again(estate: Estate) -> None:
    with estate.failing(cannot_start="no room for the guest"):
        refusal(estate.make_machine)
    nic = estate.azure.network.network_interfaces.get("g", "vm-nic").id or ""
    machine = estate.compute.virtual_machines.begin_create_or_update("g", "vm", estate.machine_body(nic)).result()
    assert machine.provisioning_state == "Succeeded"
    assert len(list(estate.compute.disks.list())) == len(estate.files("disks")) == 1


def test_a_scale_set_with_an_instance_that_does_not_come_up_is_failed(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verified_images.emulator.compute.machines.guests.BOOT_SECONDS", 0.5)
    with estate.failing(never_provisioned=True):
        assert refusal(estate.make_scale_set)[1] == "OSProvisioningTimedOut"
    sets = estate.compute.virtual_machine_scale_sets
    assert sets.get("g", "ss").provisioning_state == "Failed"
    states = [each.provisioning_state for each in estate.compute.virtual_machine_scale_set_vms.list("g", "ss")]
    assert states == ["Failed", "Failed"]
    sets.begin_delete("g", "ss").result()
    assert estate.guests() == []
    assert estate.files("disks") == []


def test_an_instance_is_deleted_while_the_scale_set_is_made(estate: Estate) -> None:
    with estate.failing(boot_seconds=2.0):
        creating = estate.begin_scale_set()
        _until(lambda: len(estate.instance_ids()) == 2)
        estate.compute.virtual_machine_scale_set_vms.begin_delete("g", "ss", "0").result()
        assert creating.result().provisioning_state == "Succeeded"
    assert estate.instance_ids() == ["1"]
    assert estate.compute.virtual_machine_scale_sets.get("g", "ss").sku.capacity == 1
    assert len(estate.files("disks")) == 1


def test_images_disks_and_machines_of_one_source_at_once(estate: Estate) -> None:
    disk = estate.make_generalized().storage_profile.os_disk.managed_disk.id
    copy = {"createOption": "Copy", "sourceResourceId": disk}

    def make(number: int) -> None:
        if number % 2:
            estate.make_image(f"image{number}")
        else:
            body = {"location": LOCATION, "properties": {"creationData": copy}}
            estate.compute.disks.begin_create_or_update("g", f"disk{number}", body).result()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))
    storage = {"imageReference": {"id": estate.id("images", "image1")}, "osDisk": {"createOption": "FromImage"}}
    estate.make_machine("other", storageProfile=storage)
