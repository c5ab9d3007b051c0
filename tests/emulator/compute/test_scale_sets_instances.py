from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, Estate, Json, power_state
from tests.emulator.network.place import refusal
from verified_images.emulator.fake.faults import GuestFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.hypervisor import GuestSpec

PATH = "virtualMachineScaleSets/ss"


def _sets(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_sets


def _vms(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_set_vms


def _make(estate: Estate, capacity: int = 2, *, zones: list[str] | None = None, **properties: Json) -> None:
    body = estate.scale_set_body(capacity)
    body["properties"] |= properties
    if zones:
        body["zones"] = zones
    _sets(estate).begin_create_or_update("g", "ss", body).result()


def _protect(estate: Estate, number: str, **policy: bool) -> None:
    body: Json = {"location": LOCATION, "properties": {"protectionPolicy": policy}}
    _vms(estate).begin_update("g", "ss", number, body).result()


@pytest.mark.parametrize(("wanted", "left"), [(1, ["1"]), (2, ["0", "3"])])
def test_more_instances_than_wanted_are_made_and_those_too_many_removed(
    estate: Estate, wanted: int, left: list[str]
) -> None:
    _make(estate, wanted, overprovision=True)
    assert estate.instance_ids() == left
    assert len(estate.guests()) == len(estate.files("disks")) == wanted
    more: Json = {"properties": {"overprovision": False}, "sku": {"capacity": wanted + 1}}
    _sets(estate).begin_update("g", "ss", more).result()
    assert estate.instance_ids() == [*left, str(2 * wanted)]


def test_instances_in_zones_are_balanced_though_there_were_more(estate: Estate) -> None:
    _make(estate, 3, zones=["1", "2", "3"], overprovision=True, singlePlacementGroup=False)
    assert sorted(each.zones[0] for each in _vms(estate).list("g", "ss")) == ["1", "2", "3"]


def test_a_scale_set_whose_image_is_gone_shrinks_but_does_not_grow(estate: Estate) -> None:
    estate.make_generalized()
    estate.make_definition()
    image = {"id": estate.make_version().id}
    estate.make_scale_set(2, image)
    estate.compute.gallery_image_versions.begin_delete("g", "gallery", "definition", "1.0.0").result()
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 1}}).result()
    assert estate.instance_ids() == ["0"]
    assert power_state(_vms(estate).get_instance_view("g", "ss", "0")) == "PowerState/running"
    code = refusal(lambda: _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 2}}).result())[1]
    assert code == "GalleryImageNotFound"


@pytest.mark.parametrize("broken", ["inst000000", "inst000001"])
def test_overprovisioning_makes_up_for_one_that_does_not_come_up(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr("verified_images.emulator.compute.machines.guests.BOOT_SECONDS", 2.0)
    started: list[str] = []

    def break_one(spec: GuestSpec) -> GuestFault:
        assert spec.provisioning
        started.append(spec.provisioning.host_name)
        return GuestFault(never_provisioned=spec.provisioning.host_name == broken)

    monkeypatch.setattr(estate.faults, "next", break_one)
    _make(estate, 1, overprovision=True)
    (left,) = _vms(estate).list("g", "ss")
    assert left.provisioning_state == "Succeeded"
    assert sorted(started) == ["inst000000", "inst000001"]
    assert left.os_profile.computer_name != broken
    assert len(estate.guests()) == len(estate.files("disks")) == 1


def test_a_protected_instance_stays_when_the_scale_set_shrinks(estate: Estate) -> None:
    _make(estate, 3)
    _protect(estate, "2", protectFromScaleIn=True)
    shown = _vms(estate).get("g", "ss", "2")
    assert shown.protection_policy.protect_from_scale_in is True
    assert shown.latest_model_applied is True
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 1}}).result()
    assert estate.instance_ids() == ["2"]
    refused = refusal(lambda: _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 0}}).result())
    assert refused[1] == "OperationNotAllowed"
    assert estate.instance_ids() == ["2"]


def test_the_actions_of_the_scale_set_are_refused_on_a_protected_instance(estate: Estate) -> None:
    _make(estate)
    _protect(estate, "1", protectFromScaleSetActions=True)
    for begin in (_sets(estate).begin_reimage, _sets(estate).begin_deallocate, _sets(estate).begin_power_off):
        assert refusal(lambda begin=begin: begin("g", "ss", {"instanceIds": ["1"]}))[:2] == (409, "OperationNotAllowed")  # type: ignore[misc]
    delete = _sets(estate).begin_delete_instances
    assert refusal(lambda: delete("g", "ss", {"instanceIds": ["*"]}))[:2] == (409, "OperationNotAllowed")
    _vms(estate).begin_power_off("g", "ss", "1").result()
    assert power_state(_vms(estate).get_instance_view("g", "ss", "1")) == "PowerState/stopped"
    _vms(estate).begin_delete("g", "ss", "1").result()
    assert estate.instance_ids() == ["0"]


@pytest.mark.parametrize(("rule", "left"), [("OldestVM", ["2"]), ("NewestVM", ["0"]), ("Default", ["0"])])
def test_the_scale_in_policy_says_who_goes(estate: Estate, rule: str, left: list[str]) -> None:
    _make(estate, 3, scaleInPolicy={"rules": [rule]})
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 1}}).result()
    assert estate.instance_ids() == left


def test_zones_get_as_many_instances_each(estate: Estate) -> None:
    _make(estate, 3, zones=["1", "2", "3"], zoneBalance=True, singlePlacementGroup=False)
    assert sorted(each.zones[0] for each in _vms(estate).list("g", "ss")) == ["1", "2", "3"]
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 4}}).result()
    crowded = max(("1", "2", "3"), key=[each.zones[0] for each in _vms(estate).list("g", "ss")].count)
    _sets(estate).begin_update("g", "ss", {"sku": {"capacity": 3}}).result()
    assert sorted(each.zones[0] for each in _vms(estate).list("g", "ss")) == ["1", "2", "3"], crowded


def test_an_instance_gets_a_data_disk_of_its_own_but_no_tags(estate: Estate) -> None:
    _make(estate, 1)
    disk = {"lun": 0, "createOption": "Empty", "diskSizeGB": 4}
    body: Json = {"location": LOCATION, "tags": {"a": "b"}, "properties": {"storageProfile": {"dataDisks": [disk]}}}
    answer = estate.call("PUT", f"{PATH}/virtualMachines/0", body)
    assert answer.status_code == 200
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    assert "Azure-AsyncOperation" in answer.headers
    _vms(estate).begin_update("g", "ss", "0", body).result()
    shown = _vms(estate).get("g", "ss", "0")
    assert (shown.tags, shown.latest_model_applied) == (None, False)
    assert shown.model_definition_applied == "VirtualMachine"
    assert len(estate.files("disks")) == 2
    body["properties"]["storageProfile"]["dataDisks"] = []
    _vms(estate).begin_update("g", "ss", "0", body).result()
    assert _vms(estate).get("g", "ss", "0").storage_profile.data_disks == []
    renamed: Json = {"location": LOCATION, "properties": {"osProfile": {"computerName": "other"}}}
    assert refusal(lambda: _vms(estate).begin_update("g", "ss", "0", renamed))[:2] == (409, "PropertyChangeNotAllowed")
    assert refusal(lambda: _vms(estate).begin_update("g", "ss", "7", body))[:2] == (404, "NotFound")


def test_disks_are_attached_to_an_instance_and_detached(estate: Estate) -> None:
    _make(estate, 1)
    disk: Json = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    made = estate.compute.disks.begin_create_or_update("g", "data", disk).result()
    change = _vms(estate).begin_attach_detach_data_disks
    change("g", "ss", "0", {"dataDisksToAttach": [{"diskId": made.id, "lun": 0}]}).result()
    (shown,) = _vms(estate).get("g", "ss", "0").storage_profile.data_disks
    assert (shown.name, shown.lun) == ("data", 0)
    assert estate.compute.disks.get("g", "data").managed_by.endswith("/ss/virtualMachines/0")
    change("g", "ss", "0", {"dataDisksToDetach": [{"diskId": made.id}]}).result()
    assert estate.compute.disks.get("g", "data").managed_by is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$filter=startswith(instanceView/statuses/code,'PowerState/running') eq true&$expand=instanceView", ["0"]),
        ("$filter=instanceView/statuses/code eq 'PowerState/deallocated'&$expand=instanceView", ["1"]),
        ("$filter=properties/latestModelApplied eq true", ["0", "1"]),
        ("$filter=latestModelApplied eq false", []),
    ],
)
def test_instances_are_listed_as_a_filter_says(estate: Estate, query: str, expected: list[str]) -> None:
    _make(estate)
    _sets(estate).begin_deallocate("g", "ss", {"instanceIds": ["1"]}).result()
    found = estate.call("GET", f"{PATH}/virtualMachines?{query}").json()["value"]
    assert [each["instanceId"] for each in found] == expected


def test_a_list_shows_what_is_selected_and_refuses_a_filter_that_it_cannot_read(estate: Estate) -> None:
    _make(estate, 1)
    (found,) = estate.call("GET", f"{PATH}/virtualMachines?$select=instanceView,vmId&$expand=instanceView").json()[
        "value"
    ]
    assert sorted(found["properties"]) == ["instanceView", "vmId"]
    refused = estate.call("GET", f"{PATH}/virtualMachines?$filter=what is this")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidParameter")


def test_user_data_is_shown_to_who_asks_for_it(estate: Estate) -> None:
    body = estate.scale_set_body(1, userData="aGk=")
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    for path in (PATH, f"{PATH}/virtualMachines/0"):
        assert "aGk=" not in estate.call("GET", path).text
        assert "aGk=" in estate.call("GET", f"{path}?$expand=userData").text


def test_a_spot_instance_is_evicted_as_its_policy_says(estate: Estate) -> None:
    body = estate.scale_set_body(1, priority="spot", evictionPolicy="delete", billingProfile={"maxPrice": -1})
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    assert _sets(estate).get("g", "ss").virtual_machine_profile.priority == "Spot"
    assert estate.call("POST", f"{PATH}/virtualMachines/0/simulateEviction").status_code == 204
    deadline = time.monotonic() + 10
    while estate.instance_ids() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _sets(estate).get("g", "ss").sku.capacity == 0


def test_eviction_is_for_spot_alone(estate: Estate) -> None:
    _make(estate, 1)
    assert refusal(lambda: _vms(estate).simulate_eviction("g", "ss", "0"))[:2] == (409, "OperationNotAllowed")
    body = estate.scale_set_body(0, evictionPolicy="Deallocate")
    refused = refusal(lambda: _sets(estate).begin_create_or_update("g", "other", body))
    assert refused[:2] == (409, "OperationNotAllowed")


def test_what_azure_refuses_on_a_scale_set_is_refused(estate: Estate) -> None:
    _make(estate, 1)
    calls: list[Callable[[], Json]] = [
        lambda: _sets(estate).begin_perform_maintenance("g", "ss"),
        lambda: _vms(estate).begin_perform_maintenance("g", "ss", "0"),
        lambda: _sets(estate).force_recovery_service_fabric_platform_update_domain_walk(
            "g", "ss", platform_update_domain=0
        ),
        lambda: estate.compute.virtual_machine_scale_set_rolling_upgrades.begin_cancel("g", "ss"),
    ]
    assert [refusal(call)[:2] for call in calls] == [(409, "OperationNotAllowed")] * len(calls)
    assert _sets(estate).get("g", "ss").single_placement_group is True
    _sets(estate).convert_to_single_placement_group("g", "ss", {})


def test_the_sizes_that_a_scale_set_may_have_are_listed(estate: Estate) -> None:
    _make(estate, 0)
    found = {sku.sku.name: sku for sku in _sets(estate).list_skus("g", "ss")}
    assert found["Standard_B2s"].capacity.maximum == 1000
    assert [each.name for each in _sets(estate).list_by_location(LOCATION)] == ["ss"]
    assert list(_sets(estate).list_by_location("northeurope")) == []


def test_what_the_local_azure_does_not_have_is_refused_in_a_card(estate: Estate) -> None:
    gateway = f"{estate.group_id}/providers/Microsoft.Network/applicationGateways/gw/backendAddressPools/p"
    pool = f"{estate.group_id}/providers/Microsoft.Network/loadBalancers/lb/inboundNatPools/p"
    for key, target, mode, code in (
        ("applicationGatewayBackendAddressPools", gateway, "Uniform", "InvalidResourceReference"),
        ("loadBalancerInboundNatPools", pool, "Flexible", "InvalidParameter"),
        ("loadBalancerBackendAddressPools", pool, "Uniform", "InvalidResourceReference"),
    ):
        body = estate.scale_set_body(1)
        del body["properties"]["overprovision"]
        body["properties"]["orchestrationMode"] = mode
        card = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]
        card["properties"]["ipConfigurations"][0]["properties"][key] = [{"id": target}]
        refused = refusal(lambda body=body: _sets(estate).begin_create_or_update("g", "ss", body))  # type: ignore[misc]
        assert refused[:2] == (400, code)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"upgradePolicy": {"mode": "Rolling"}}, "BadRequest"),
        (
            {"upgradePolicy": {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}},
            "BadRequest",
        ),
        ({"automaticRepairsPolicy": {"enabled": True}}, "BadRequest"),
        ({"upgradePolicy": {"mode": "Sometimes"}}, "InvalidParameter"),
        ({"zoneBalance": True}, "InvalidParameter"),
        ({"scaleInPolicy": {"rules": ["Random"]}}, "InvalidParameter"),
        ({"orchestrationMode": "Flexible", "overprovision": True}, "InvalidParameter"),
    ],
)
def test_policies_that_do_not_fit_are_refused(estate: Estate, properties: dict[str, Any], code: str) -> None:
    body = estate.scale_set_body(1)
    body["properties"] |= properties
    assert refusal(lambda: _sets(estate).begin_create_or_update("g", "ss", body))[:2] == (400, code)
    assert estate.guests() == []


def test_an_action_of_one_instance_reaches_all_when_it_is_named_so(estate: Estate) -> None:
    _make(estate)
    answer = estate.call("POST", f"{PATH}/virtualMachines/%2A/deallocate")
    assert answer.status_code == 202
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        states = {power_state(_vms(estate).get_instance_view("g", "ss", each)) for each in ("0", "1")}
        if states == {"PowerState/deallocated"}:
            return
        time.sleep(0.05)
    pytest.fail(f"they are {states}")
