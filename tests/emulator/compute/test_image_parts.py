from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

VERSIONS = "galleries/gallery/images/definition/versions"


def _machine_with_data_disk(estate: Estate) -> None:
    storage = estate.machine_body("")["properties"]["storageProfile"]
    storage["dataDisks"] = [{"lun": 3, "createOption": "Empty", "diskSizeGB": 2, "caching": "ReadOnly"}]
    estate.make_generalized(storageProfile=storage)


def _data_disks(estate: Estate, name: str) -> list[dict[str, Any]]:
    machine = estate.call("GET", f"virtualMachines/{name}").json()
    disks: list[dict[str, Any]] = machine["properties"]["storageProfile"]["dataDisks"]
    return disks


def test_an_image_takes_over_the_data_disks_of_its_machine(estate: Estate) -> None:
    _machine_with_data_disk(estate)
    source = {"id": estate.id("virtualMachines", "vm")}
    body = {"location": LOCATION, "properties": {"sourceVirtualMachine": source, "hyperVGeneration": "V2"}}
    first = estate.call("PUT", "images/image", body).json()["properties"]["storageProfile"]["dataDisks"]
    assert set(first[0]) == {"lun", "managedDisk", "caching", "storageAccountType"}
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    profile = estate.call("GET", "images/image").json()["properties"]["storageProfile"]
    assert [(disk["lun"], disk["diskSizeGB"], disk["caching"]) for disk in profile["dataDisks"]] == [(3, 2, "ReadOnly")]
    storage = {"imageReference": {"id": estate.id("images", "image")}, "osDisk": {"createOption": "FromImage"}}
    estate.make_machine("copy", storageProfile=storage)
    made = _data_disks(estate, "copy")
    assert [(disk["lun"], disk["createOption"], disk["diskSizeGB"]) for disk in made] == [(3, "FromImage", 2)]
    disk = estate.compute.disks.get("g", made[0]["name"])
    assert disk.creation_data.image_reference.lun == 3


def test_a_version_takes_over_the_data_disks_of_its_source(estate: Estate) -> None:
    _machine_with_data_disk(estate)
    estate.make_definition()
    estate.make_version(source=estate.make_image().id)
    estate.make_version("1.0.1", source=estate.id("galleries", "gallery/images/definition/versions/1.0.0"))
    estate.make_version("1.0.2")
    for name in ("1.0.0", "1.0.1", "1.0.2"):
        storage = estate.call("GET", f"{VERSIONS}/{name}").json()["properties"]["storageProfile"]
        assert storage["dataDiskImages"] == [{"lun": 3, "sizeInGB": 2, "hostCaching": "ReadOnly"}]
        estate.compute.gallery_image_versions.begin_delete("g", "gallery", "definition", name).result()


def test_a_machine_asks_only_for_data_disks_that_its_image_has(estate: Estate) -> None:
    _machine_with_data_disk(estate)
    estate.make_image()
    reference = {"id": estate.id("images", "image")}
    body = estate.machine_body(estate.make_nic("other"))
    disks = [{"lun": 5, "createOption": "FromImage"}]
    body["properties"]["storageProfile"] = {"imageReference": reference, "dataDisks": disks}
    error = estate.call("PUT", "virtualMachines/other", body).json()["error"]
    assert (error["code"], error["target"]) == ("InvalidParameter", "dataDisk.createOption")


def test_a_disk_is_made_of_an_image_s_data_disk(estate: Estate) -> None:
    _machine_with_data_disk(estate)
    estate.make_image()
    for lun, expected in ((3, 2), (None, 30)):
        reference = {"id": estate.id("images", "image"), **({} if lun is None else {"lun": lun})}
        creation = {"createOption": "FromImage", "imageReference": reference}
        body: Any = {"location": LOCATION, "properties": {"creationData": creation}}
        disk = estate.compute.disks.begin_create_or_update("g", f"d{expected}", body).result()
        assert disk.disk_size_gb == expected
    body["properties"]["creationData"]["imageReference"]["lun"] = 4
    assert refusal(lambda: estate.compute.disks.begin_create_or_update("g", "none", body))[0] == 400


def test_a_disk_is_made_of_a_marketplace_image(estate: Estate) -> None:
    machine = estate.make_machine()
    made = estate.compute.disks.get("g", machine.storage_profile.os_disk.name)
    reference = {"id": made.creation_data.image_reference.id}
    assert reference["id"].endswith("/Offers/debian-12/Skus/12-gen2/Versions/0.20250814.2204")
    creation = {"createOption": "FromImage", "imageReference": reference}
    body: Any = {"location": LOCATION, "sku": {"name": "Premium_LRS"}, "properties": {"creationData": creation}}
    disk = estate.compute.disks.begin_create_or_update("g", "d", body).result()
    assert (disk.disk_size_gb, disk.hyper_v_generation, disk.tier, disk.disk_iops_read_write) == (30, "V2", "P4", 120)


def test_a_version_is_made_of_disks_and_snapshots_by_lun(estate: Estate) -> None:
    _machine_with_data_disk(estate)
    profile = estate.call("GET", "virtualMachines/vm").json()["properties"]["storageProfile"]
    os_disk, data_disk = profile["osDisk"]["managedDisk"]["id"], profile["dataDisks"][0]["managedDisk"]["id"]
    estate.make_definition()
    body = estate.version_body("")
    body["properties"]["storageProfile"] = {
        "osDiskImage": {"source": {"id": os_disk}},
        "dataDiskImages": [{"lun": 0, "source": {"id": data_disk}}],
    }
    answer = estate.call("PUT", f"{VERSIONS}/1.0.0", body)
    assert answer.json()["properties"]["storageProfile"]["osDiskImage"]["hostCaching"] == "ReadWrite"
    storage = estate.call("GET", f"{VERSIONS}/1.0.0").json()["properties"]["storageProfile"]
    assert [(disk["lun"], disk["sizeInGB"]) for disk in storage["dataDiskImages"]] == [(0, 2)]


def test_an_application_is_defined_but_has_no_versions(estate: Estate) -> None:
    estate.make_definition()
    body: Any = {"location": LOCATION, "properties": {"supportedOSType": "Linux", "description": "d"}}
    answer = estate.call("PUT", "galleries/gallery/applications/app", body)
    assert (answer.status_code, answer.json()["properties"]) == (201, body["properties"])
    version = estate.call("PUT", "galleries/gallery/applications/app/versions/1.0.0", {"location": LOCATION})
    assert (version.status_code, version.json()["error"]["code"]) == (400, "NotSupported")
    body["properties"]["supportedOSType"] = "Windows"
    assert estate.call("PUT", "galleries/gallery/applications/app", body).status_code == 409
