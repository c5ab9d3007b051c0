from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION, Estate, Json, power_state
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    import pytest


def _sets(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_sets


def _body(estate: Estate, capacity: int = 2, image: Json = None) -> dict[str, Any]:
    body = estate.scale_set_body(capacity, image)
    del body["properties"]["overprovision"], body["properties"]["upgradePolicy"]
    body["properties"] |= {"orchestrationMode": "flexible", "platformFaultDomainCount": 1}
    return body


def _make(estate: Estate, capacity: int = 2, image: Json = None) -> None:
    _sets(estate).begin_create_or_update("g", "ss", _body(estate, capacity, image)).result()


def _machines(estate: Estate) -> list[Json]:
    return list(estate.compute.virtual_machines.list("g"))


def test_a_flexible_scale_set_shows_the_defaults_that_azure_fills_in(estate: Estate) -> None:
    _make(estate, 0)
    body = estate.call("GET", "virtualMachineScaleSets/ss").json()
    properties = body["properties"]
    assert properties["orchestrationMode"] == "Flexible"
    assert properties["upgradePolicy"] == {"mode": "Manual"}
    assert (properties["singlePlacementGroup"], properties["platformFaultDomainCount"]) == (False, 1)
    assert not {"overprovision", "doNotRunExtensionsOnOverprovisionedVMs"} & set(properties)
    profile = properties["virtualMachineProfile"]
    assert profile["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert profile["networkProfile"]["networkApiVersion"] == "2020-11-01"
    card = profile["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert (card["deleteOption"], card["auxiliaryMode"]) == ("Delete", "None")


def test_its_instances_are_virtual_machines_of_the_group(estate: Estate) -> None:
    _make(estate)
    machines = _machines(estate)
    assert all(re.fullmatch(r"ss_[0-9a-f]{8}", machine.name) for machine in machines)
    assert all(re.fullmatch(r"inst[0-9A-Z]{6}", machine.os_profile.computer_name) for machine in machines)
    assert {machine.virtual_machine_scale_set.id for machine in machines} == {
        estate.id("virtualMachineScaleSets", "ss")
    }
    cards = [card.name for card in estate.azure.network.network_interfaces.list("g")]
    assert len(cards) == 2
    assert all(re.fullmatch(r"nic-[0-9a-f]{8}", str(name)) for name in cards)
    listed = estate.call("GET", "virtualMachineScaleSets/ss/virtualMachines").json()["value"]
    assert [each["instanceId"] for each in listed] == [machine.name for machine in machines]
    assert listed[0]["zones"] == [None]
    assert "properties" not in listed[0]
    usages = {usage.name.value: usage.current_value for usage in estate.compute.usage.list(LOCATION)}
    assert usages["cores"] == 4


def test_the_capacity_follows_what_is_asked_and_what_is_deleted(estate: Estate) -> None:
    _make(estate, 1)
    estate.call("PUT", "virtualMachineScaleSets/ss", {"location": LOCATION, "sku": {"capacity": 3}})
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 3}}).result()
    assert len(_machines(estate)) == 3
    name = _machines(estate)[0].name
    estate.compute.virtual_machines.begin_delete("g", name).result()
    assert _sets(estate).get("g", "ss").sku.capacity == 2
    _sets(estate).begin_delete_instances("g", "ss", {"instanceIds": [_machines(estate)[0].name]}).result()
    assert _sets(estate).get("g", "ss").sku.capacity == 1
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 0}}).result()
    assert _machines(estate) == list(estate.azure.network.network_interfaces.list("g")) == []
    assert estate.guests() == []


def test_a_machine_of_the_caller_is_counted_in_the_scale_set_that_it_names(estate: Estate) -> None:
    empty: Json = {"location": LOCATION, "properties": {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}}
    _sets(estate).begin_create_or_update("g", "bare", empty).result()
    _make(estate, 0)
    for name, target in (("one", "bare"), ("two", "ss")):
        estate.make_machine(name, virtualMachineScaleSet={"id": estate.id("virtualMachineScaleSets", target)})
    assert _sets(estate).get("g", "ss").sku.capacity == 1
    listed = estate.call("GET", "virtualMachineScaleSets/bare/virtualMachines").json()["value"]
    assert [each["name"] for each in listed] == ["one"]
    assert refusal(lambda: _sets(estate).begin_delete("g", "bare"))[:2] == (409, "OperationNotAllowed")
    unknown = {"id": estate.id("virtualMachineScaleSets", "none")}
    refused = refusal(lambda: estate.begin_machine("three", virtualMachineScaleSet=unknown))
    assert refused[:2] == (404, "NotFound")


def test_actions_on_the_scale_set_reach_its_machines(estate: Estate) -> None:
    _make(estate)
    first, second = (machine.name for machine in _machines(estate))
    _sets(estate).begin_deallocate("g", "ss", {"instanceIds": [first]}).result()

    def states() -> list[str]:
        view = estate.compute.virtual_machines.instance_view
        return [power_state(view("g", name)).split("/")[1] for name in (first, second)]

    assert states() == ["deallocated", "running"]
    _sets(estate).begin_start("g", "ss").result()
    assert states() == ["running", "running"]
    refused = refusal(lambda: _sets(estate).get_instance_view("g", "ss"))
    assert refused[:2] == (409, "OperationNotAllowed")
    assert "uid=0" in estate.run("id", first)


def test_a_new_image_reaches_a_machine_when_it_is_upgraded(estate: Estate) -> None:
    estate.make_generalized()
    image = {"id": estate.make_image().id}
    _make(estate, 1)
    change = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": image}}}}
    _sets(estate).begin_update("g", "ss", change).result()
    name = next(machine.name for machine in _machines(estate) if machine.name != "vm")
    before = estate.compute.virtual_machines.get("g", name)
    assert before.storage_profile.image_reference.id is None
    _sets(estate).begin_update_instances("g", "ss", {"instanceIds": [name]}).result()
    after = estate.compute.virtual_machines.get("g", name)
    assert after.storage_profile.image_reference.id == image["id"]
    assert after.vm_id == before.vm_id


def test_each_machine_can_have_a_public_address_which_goes_with_it(estate: Estate) -> None:
    body = _body(estate, 1)
    card = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]
    card["properties"]["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"] = {"name": "public"}
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    found = list(estate.azure.network.public_ip_addresses.list("g"))
    assert [str(address.name).split("-")[0] for address in found] == ["public"]
    assert found[0].ip_address
    _sets(estate).begin_delete("g", "ss").result()
    assert list(estate.azure.network.public_ip_addresses.list("g")) == []


def test_a_machine_that_does_not_come_up_stays_and_is_called_failed(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verified_images.emulator.compute.machines.guests.BOOT_SECONDS", 0.3)
    begin = _sets(estate).begin_create_or_update
    with estate.failing(never_provisioned=True):
        code = refusal(lambda: begin("g", "ss", _body(estate, 1)).result())[1]
    assert code == "OSProvisioningTimedOut"
    assert [machine.provisioning_state for machine in _machines(estate)] == ["Failed"]
