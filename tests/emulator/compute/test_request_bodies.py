"""Bodies that a provider cannot read, and the liberties that it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json


def _disk(**properties: Json) -> Json:
    return {
        "location": LOCATION,
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, **properties},
    }


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        (
            {"nope": 1},
            "vm.properties.nope",
            "Could not find member 'nope' on object of type 'VirtualMachineProperties'",
        ),
        (
            {"osProfile": {"nope": 1}},
            "vm.properties.osProfile.nope",
            "of type 'OSProfile'. Path 'properties.osProfile.nope'",
        ),
        ({"hardwareProfile": "B2s"}, "vm.properties.hardwareProfile", 'Error converting value "B2s"'),
        ({"networkProfile": {"networkInterfaces": {}}}, "vm.properties.networkProfile.networkInterfaces", "List"),
        (
            {"storageProfile": {"dataDisks": [{"lun": "x"}]}},
            "vm.properties.storageProfile.dataDisks[0].lun",
            "System.Int32",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(estate: Estate, change: Json, target: str, words: str) -> None:
    answer = estate.call("PUT", "virtualMachines/vm", {"location": LOCATION, "properties": change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["target"]) == (400, "BadRequest", target)
    assert words in error["message"]
    assert ", line 1, position " in error["message"]


def test_an_unknown_name_at_the_top_is_refused_by_the_gateway(estate: Estate) -> None:
    answer = estate.call("PUT", "disks/d", {**_disk(), "AccountType": "x"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "InvalidRequestContent")
    assert "Could not find member 'AccountType' on object of type 'ResourceDefinition'" in error["message"]


def test_a_patch_is_read_as_strictly(estate: Estate) -> None:
    estate.compute.disks.begin_create_or_update("g", "d", _disk()).result()
    assert (
        estate.call("PATCH", "disks/d", {"properties": {"size": 8}}).json()["error"]["target"] == "disk.properties.size"
    )


def test_names_are_read_in_any_case_and_texts_as_what_they_say(estate: Estate) -> None:
    body = {"location": LOCATION, "Properties": {"CREATIONDATA": {"CreateOption": "Empty"}, "disksizegb": "4"}}
    assert estate.call("PUT", "disks/d", body).status_code == 202
    assert estate.compute.disks.get("g", "d").disk_size_gb == 4


def test_what_is_read_only_is_accepted_and_ignored(estate: Estate) -> None:
    estate.compute.disks.begin_create_or_update("g", "d", _disk()).result()
    body = estate.call("GET", "disks/d").json()
    body["properties"] |= {"uniqueId": "mine", "provisioningState": "Failed", "timeCreated": None}
    assert estate.call("PUT", "disks/d", body).status_code == 202
    after = estate.call("GET", "disks/d").json()["properties"]
    assert after["uniqueId"] != "mine"
    assert after["provisioningState"] == "Succeeded"
