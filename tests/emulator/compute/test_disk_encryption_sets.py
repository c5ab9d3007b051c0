from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

KEY = {"keyUrl": "https://vault.vault.azure.net/keys/key/1"}
SET = "diskEncryptionSets/set?api-version=2024-03-02"


def test_a_version_is_encrypted_by_a_set_that_exists(estate: Estate) -> None:
    estate.make_definition()
    estate.make_generalized()
    body = estate.version_body(estate.id("virtualMachines", "vm"))
    encryption = {"osDiskImage": {"diskEncryptionSetId": estate.id("diskEncryptionSets", "set")}}
    body["properties"]["publishingProfile"]["targetRegions"][0]["encryption"] = encryption
    versions = "galleries/gallery/images/definition/versions/1.0.0"
    assert estate.call("PUT", versions, body).json()["error"]["code"] == "ResourceNotFound"
    made: Any = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": {"activeKey": KEY}}
    answer = estate.call("PUT", SET, made)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (202, "Updating")
    shown = estate.call("GET", SET).json()
    assert shown["properties"]["encryptionType"] == "EncryptionAtRestWithCustomerKey"
    assert set(shown["identity"]) == {"type", "principalId", "tenantId"}
    regions = estate.call("PUT", versions, body).json()["properties"]["publishingProfile"]["targetRegions"]
    assert regions[0]["encryption"]["osDiskImage"] == {"securityProfile": {}, **encryption["osDiskImage"]}
    assert estate.call("DELETE", SET).status_code == 409
    del made["properties"]["activeKey"]
    assert estate.call("PUT", "diskEncryptionSets/other?api-version=2024-03-02", made).status_code == 400
