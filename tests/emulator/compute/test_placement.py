"""Where machines run and at what price: zones, sets, groups, Spot, quotas, shortages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION, power_state
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.compute.estate import Estate, Json
    from verified_images.emulator.offering import Offering

SPOT: Json = {"priority": "Spot", "hardwareProfile": {"vmSize": "Standard_D2s_v3"}}


@pytest.fixture
def offering(estate: Estate) -> Iterator[Offering]:
    offering: Offering = estate.azure.cloud.cloud.offering
    yield offering
    offering.clear()


def _put(estate: Estate, *, zones: Json = None, **properties: Json) -> Json:
    body = estate.machine_body(estate.make_nic(), **properties)
    return estate.call("PUT", "virtualMachines/vm", body | ({"zones": zones} if zones else {}))


def _refused(answer: Json) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_availability_set_lists_its_machines_and_outlives_none_of_them(estate: Estate) -> None:
    body = {"location": LOCATION, "sku": {"name": "Aligned"}, "properties": {"platformFaultDomainCount": 2}}
    made = estate.call("PUT", "availabilitySets/set", body)
    assert made.status_code == 200
    assert made.json()["properties"] == {"platformUpdateDomainCount": 5, "platformFaultDomainCount": 2}
    estate.make_machine(availabilitySet={"id": estate.id("availabilitySets", "set")})
    members = estate.call("GET", "availabilitySets/set").json()["properties"]["virtualMachines"]
    assert [member["id"].rsplit("/", 1)[1] for member in members] == ["VM"]
    assert _refused(estate.call("DELETE", "availabilitySets/set")) == (409, "OperationNotAllowed")
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert estate.call("DELETE", "availabilitySets/set").status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"properties": {"platformFaultDomainCount": 9}}, 400, "InvalidParameter"),
        ({"sku": {"name": "Nope"}}, 400, "InvalidParameter"),
        ({"properties": {"proximityPlacementGroup": {"id": "/subscriptions/s/resourceGroups/g"}}}, 404, "NotFound"),
    ],
)
def test_an_availability_set_that_cannot_be_is_refused(estate: Estate, change: Json, status: int, code: str) -> None:
    assert _refused(estate.call("PUT", "availabilitySets/set", {"location": LOCATION, **change})) == (status, code)


def test_a_classic_set_takes_no_machine_with_managed_disks(estate: Estate) -> None:
    estate.call("PUT", "availabilitySets/set", {"location": LOCATION})
    reference = {"id": estate.id("availabilitySets", "set")}
    assert _refused(_put(estate, availabilitySet=reference)) == (409, "OperationNotAllowed")


def test_a_placement_group_is_left_only_by_a_machine_that_is_off(estate: Estate) -> None:
    for name in ("one", "two"):
        made = estate.call("PUT", f"proximityPlacementGroups/{name}", {"location": LOCATION})
        assert made.json()["properties"] == {"proximityPlacementGroupType": "Standard"}
    estate.make_machine(proximityPlacementGroup={"id": estate.id("proximityPlacementGroups", "one")})
    shown = estate.call("GET", "proximityPlacementGroups/one").json()["properties"]
    assert len(shown["virtualMachines"]) == 1
    assert shown["availabilitySets"] == []
    other = {"properties": {"proximityPlacementGroup": {"id": estate.id("proximityPlacementGroups", "two")}}}
    answer = estate.call("PATCH", "virtualMachines/vm", other)
    assert answer.json()["error"]["message"] == (
        "Updating proximity placement group of VM vm is not allowed while the VM is running. Please stop/deallocate "
        "the VM and retry the operation."
    )
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.begin_update("g", "vm", other).result()
    assert len(estate.call("GET", "proximityPlacementGroups/two").json()["properties"]["virtualMachines"]) == 1


def test_zones_are_reported_and_checked(estate: Estate) -> None:
    assert _refused(_put(estate, zones=["7"])) == (400, "InvalidAvailabilityZone")
    assert _refused(_put(estate, zones=["1", "2"])) == (400, "InvalidParameter")
    assert _put(estate, zones=["2"]).json()["zones"] == ["2"]
    assert _refused(estate.call("PATCH", "virtualMachines/vm", {"zones": ["1"]}))[0] in {400, 409}


def test_spot_machines_are_counted_apart_and_evicted_on_demand(estate: Estate) -> None:
    estate.make_machine(**SPOT, billingProfile={"maxPrice": 1.0})
    shown = estate.call("GET", "virtualMachines/vm").json()["properties"]
    assert [shown[key] for key in ("priority", "evictionPolicy", "billingProfile")] == [
        "Spot",
        "Deallocate",
        {"maxPrice": 1.0},
    ]
    usages = {usage.name.value: usage.current_value for usage in estate.compute.usage.list(LOCATION)}
    assert (usages["lowPriorityCores"], usages["cores"]) == (2, 0)
    assert estate.call("POST", "virtualMachines/vm/simulateEviction").status_code == 204
    deadline = time.monotonic() + 20
    while power_state(estate.compute.virtual_machines.instance_view("g", "vm")) != "PowerState/deallocated":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_eviction_may_delete(estate: Estate) -> None:
    estate.make_machine(**SPOT, evictionPolicy="Delete")
    estate.call("POST", "virtualMachines/vm/simulateEviction")
    deadline = time.monotonic() + 20
    while estate.call("GET", "virtualMachines/vm").status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"evictionPolicy": "Delete"}, "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines"),
        ({"billingProfile": {"maxPrice": 1}}, "MaxPriceIsSupportedOnlyForAzureSpotVirtualMachines"),
        ({**SPOT, "billingProfile": {"maxPrice": -2}}, "MaxPriceValueInvalid"),
        ({"priority": "Spot"}, "AzureSpotIsNotSupportedForThisVMSize"),
        ({"priority": "Cheap"}, "InvalidParameter"),
    ],
)
def test_what_only_spot_may_have_is_refused(estate: Estate, properties: Json, code: str) -> None:
    assert _refused(_put(estate, **properties))[1] == code


def test_a_regular_machine_is_not_evicted(estate: Estate) -> None:
    estate.make_machine()
    assert _refused(estate.call("POST", "virtualMachines/vm/simulateEviction")) == (409, "OperationNotAllowed")


def test_quotas_are_those_of_region_family_and_spot(estate: Estate, offering: Offering) -> None:
    for name, properties, label in (
        ("cores", {}, "Total Regional Cores"),
        ("standardBSFamily", {}, "standardBSFamily Cores"),
        ("lowPriorityCores", SPOT, "LowPriorityCores"),
    ):
        offering.clear()
        offering.limit(name, 1)
        answer = _put(estate, **properties)
        assert _refused(answer) == (409, "OperationNotAllowed")
        assert f"exceeding approved {label} quota." in answer.json()["error"]["message"]


def test_a_restricted_size_is_not_to_be_had_and_the_skus_say_so(estate: Estate, offering: Offering) -> None:
    offering.restrict("Standard_B2s", LOCATION, zones=["1"])
    assert _refused(_put(estate, zones=["1"])) == (409, "SkuNotAvailable")
    skus = {sku.name: sku for sku in estate.compute.resource_skus.list(filter=f"location eq '{LOCATION}'")}
    restriction = skus["Standard_B2s"].restrictions[0]
    assert (restriction.type, restriction.reason_code) == ("Zone", "NotAvailableForSubscription")
    assert restriction.restriction_info.zones == ["1"]
    offering.restrict("Standard_B2s", "*")
    assert _refused(_put(estate)) == (409, "SkuNotAvailable")


def test_a_shortage_fails_the_allocation(estate: Estate, offering: Offering) -> None:
    offering.use_up("Standard_B2s", LOCATION)
    assert refusal(estate.begin_machine().result)[1] == "AllocationFailed"


def test_ssh_keys_are_kept_and_made(estate: Estate) -> None:
    assert estate.call("PUT", "sshPublicKeys/k", {"location": LOCATION}).status_code == 201
    pair = estate.call("POST", "sshPublicKeys/k/generateKeyPair", {"encryptionType": "Ed25519"}).json()
    assert pair["publicKey"].startswith("ssh-ed25519 ")
    assert pair["privateKey"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert estate.call("GET", "sshPublicKeys/k").json()["properties"] == {"publicKey": pair["publicKey"]}
    bad = {"location": LOCATION, "properties": {"publicKey": "no key"}}
    assert _refused(estate.call("PUT", "sshPublicKeys/other", bad)) == (400, "InvalidParameter")
