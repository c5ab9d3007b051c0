from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION
from verified_images.emulator.compute.shown_since import as_of, with_agent_updates

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

EMPTY: Any = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}


def test_a_property_is_left_out_of_each_item_of_a_list_and_the_body_is_left_as_it_is() -> None:
    body = {"name": "a", "properties": {"cards": [{"ip": 1, "state": 2}, {"state": 3}], "other": None}}
    shown = as_of(body, "2020-06-01", [("2021-01-01", "properties.cards.state"), ("2020-06-01", "name")])
    assert shown == {"name": "a", "properties": {"cards": [{"ip": 1}, {}], "other": None}}
    assert body["properties"] == {"cards": [{"ip": 1, "state": 2}, {"state": 3}], "other": None}


@pytest.mark.parametrize(
    ("version", "location", "shown"),
    [
        ("2020-12-01", "westus", None),
        ("2022-11-01", "westus", False),
        ("2024-07-01", "westus", None),
        ("2024-07-01", "eastus2euap", True),
    ],
)
def test_few_api_versions_and_regions_tell_who_updates_the_agent(version: str, location: str, shown: object) -> None:
    profile = with_agent_updates({"linuxConfiguration": {"provisionVMAgent": True}}, version, location)
    assert profile["linuxConfiguration"].get("enableVMAgentPlatformUpdates") is shown


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2018-04-01", {"diskIOPSReadWrite", "uniqueId", "encryption", "networkAccessPolicy", "publicNetworkAccess"}),
        ("2019-03-01", {"encryption", "networkAccessPolicy", "publicNetworkAccess"}),
        ("2020-05-01", {"publicNetworkAccess"}),
        ("2024-03-02", set()),
    ],
)
def test_a_disk_shows_what_its_api_version_has(estate: Estate, version: str, missing: set[str]) -> None:
    estate.call("PUT", "disks/d?api-version=2024-03-02", EMPTY)
    newest = estate.call("GET", "disks/d?api-version=2024-03-02").json()["properties"]
    shown = estate.call("GET", f"disks/d?api-version={version}").json()["properties"]
    assert set(shown) >= {"provisioningState", "timeCreated", "diskState"}
    assert {"diskIOPSReadWrite", "uniqueId", "encryption", "networkAccessPolicy", "publicNetworkAccess"} & (
        set(newest) - set(shown)
    ) == missing


def test_early_api_versions_first_answer_a_disk_without_its_id(estate: Estate) -> None:
    answer = estate.call("PUT", "disks/d?api-version=2020-06-30", EMPTY)
    assert answer.status_code == 202
    assert {"id", "type"} & set(answer.json()) == set()
    assert answer.json()["properties"]["isArmResource"] is True
    patched = estate.call("PATCH", "disks/d?api-version=2020-06-30", {"properties": {"diskSizeGB": 8}})
    assert patched.json()["sku"] == {"name": "Standard_LRS", "tier": "Standard"}
    assert patched.json()["properties"]["creationData"] == {"createOption": "Empty"}
    assert "uniqueId" not in patched.json()["properties"]


def test_what_answers_have_beyond_the_models_may_be_sent_back(estate: Estate) -> None:
    body = {**EMPTY, "properties": {**EMPTY["properties"], "isArmResource": True, "faultDomain": 0}}
    assert estate.call("PUT", "disks/d?api-version=2020-06-30", body).status_code == 202


def test_a_patch_of_a_disks_tags_is_an_operation(estate: Estate) -> None:
    estate.call("PUT", "disks/d?api-version=2024-03-02", EMPTY)
    answer = estate.call("PATCH", "disks/d?api-version=2024-03-02", {"tags": {"a": "b"}})
    assert (answer.status_code, "azure-asyncoperation" in answer.headers) == (202, True)
    assert estate.call("GET", "disks/d?api-version=2024-03-02").json()["tags"] == {"a": "b"}


def test_the_speed_that_was_asked_for_is_read_back_of_adjustable_disks_only(estate: Estate) -> None:
    fast = {**EMPTY["properties"], "diskIOPSReadWrite": 500, "diskMBpsReadWrite": 8}
    for sku, echoed in (("Premium_LRS", False), ("UltraSSD_LRS", True)):
        body = {**EMPTY, "sku": {"name": sku}, "properties": fast}
        answer = estate.call("PUT", f"disks/{sku.lower()[:5]}?api-version=2024-03-02", body).json()
        assert ("diskIOPSReadWrite" in answer["properties"]) is echoed
    ultra = estate.call("GET", "disks/ultra?api-version=2024-03-02").json()["properties"]
    assert (ultra["readOnly"], ultra["maxShares"]) == (False, 1)
    assert ultra["creationData"] == {"createOption": "Empty", "logicalSectorSize": 4096}


def test_a_snapshot_may_be_empty_and_a_disk_made_of_it(estate: Estate) -> None:
    estate.call("PUT", "snapshots/s?api-version=2024-03-02", EMPTY)
    assert estate.call("GET", "snapshots/s?api-version=2024-03-02").json()["properties"]["diskState"] == "Unattached"
    copied: Any = {"createOption": "Copy", "sourceResourceId": estate.id("snapshots", "s")}
    made = estate.compute.disks.begin_create_or_update(
        "g", "d", {"location": LOCATION, "properties": {"creationData": copied}}
    ).result()
    assert made.disk_size_gb == 4


def test_actions_offer_notifications_in_later_api_versions_only(estate: Estate) -> None:
    estate.make_machine()
    for version, offered in (("2020-12-01", False), ("2022-11-01", True)):
        answer = estate.call("POST", f"virtualMachines/vm/powerOff?api-version={version}")
        assert ("azure-asyncnotification" in answer.headers) is offered
    patched = estate.call("PATCH", "virtualMachines/vm?api-version=2020-12-01", {"tags": {"a": "b"}})
    assert "azure-asyncnotification" in patched.headers


def test_only_second_generation_machines_tell_how_disks_are_connected(estate: Estate) -> None:
    made = estate.make_machine()
    assert made.storage_profile.disk_controller_type == "SCSI"
    shown = estate.call("GET", "virtualMachines/vm?api-version=2020-12-01").json()
    assert "diskControllerType" not in shown["properties"]["storageProfile"]


def test_images_are_described_as_their_api_version_does(estate: Estate) -> None:
    cloud = estate.azure.cloud
    place = (
        f"/subscriptions/{cloud.account.subscription_id}/providers/Microsoft.Compute/locations/{LOCATION}/publishers"
    )
    image = f"{place}/Canonical/artifacttypes/vmimage/offers/UbuntuServer/skus/18.04-LTS/versions/18.04.202401161"
    shown = {
        version: estate.call("GET", f"{image}?api-version={version}").json()["properties"]
        for version in ("2017-03-30", "2020-12-01", "2024-07-01")
    }
    assert shown["2017-03-30"] == {"osDiskImage": {"operatingSystem": "Linux"}, "dataDiskImages": []}
    assert set(shown["2020-12-01"]["osDiskImage"]) == {"operatingSystem", "sizeInGb", "sizeInBytes"}
    assert "architecture" not in shown["2020-12-01"]
    assert set(shown["2024-07-01"]["osDiskImage"]) == {"operatingSystem", "sizeInBytes"}
