from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION, MARKETPLACE

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


def test_disks_made_from_an_encrypted_version_have_its_set(estate: Estate) -> None:
    encryption_set = estate.id("diskEncryptionSets", "set")
    made: Any = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": {"activeKey": KEY}}
    estate.call("PUT", SET, made)
    estate.make_definition()
    data: Any = {"lun": 3, "createOption": "Empty", "diskSizeGB": 1}
    estate.make_generalized(storageProfile={"imageReference": MARKETPLACE, "dataDisks": [data]})
    body = estate.version_body(estate.id("virtualMachines", "vm"))
    body["properties"]["publishingProfile"]["targetRegions"][0]["encryption"] = {
        "osDiskImage": {"diskEncryptionSetId": encryption_set},
        "dataDiskImages": [{"lun": 3, "diskEncryptionSetId": encryption_set}],
    }
    versions = estate.compute.gallery_image_versions
    version = versions.begin_create_or_update("g", "gallery", "definition", "1.0.0", body).result()
    storage = estate.make_machine("copy", storageProfile={"imageReference": {"id": version.id}}).storage_profile
    for disk in (storage.os_disk, *storage.data_disks):
        assert disk.managed_disk.disk_encryption_set.id == encryption_set
        assert estate.compute.disks.get("g", disk.name).encryption.disk_encryption_set_id == encryption_set
