"""What a location offers: Marketplace images, SKUs, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

URN = ("westeurope", "Debian", "debian-12", "12-gen2")
NEWEST = "0.20250814.2204"


def test_the_marketplace_is_walked_from_publisher_to_version(estate: Estate) -> None:
    images = estate.compute.virtual_machine_images
    publishers = [each.name for each in images.list_publishers("westeurope")]
    assert publishers == sorted(set(publishers))
    assert "Debian" in publishers
    assert [each.name for each in images.list_offers("westeurope", "Debian")] == ["debian-10", "debian-11", "debian-12"]
    assert [each.name for each in images.list_skus("westeurope", "Debian", "debian-12")] == ["12", "12-gen2"]
    versions = [each.name for each in images.list(*URN)]
    assert versions == sorted(versions)
    assert versions[-1] == NEWEST


def test_versions_are_ordered_and_cut_on_demand(estate: Estate) -> None:
    images = estate.compute.virtual_machine_images
    assert [each.name for each in images.list(*URN, top=1, orderby="name desc")] == [NEWEST]


def test_a_version_tells_generation_and_size(estate: Estate) -> None:
    image = estate.compute.virtual_machine_images.get(*URN, NEWEST)
    assert (image.hyper_v_generation, image.architecture) == ("V2", "x64")
    assert image.os_disk_image.operating_system == "Linux"


def test_an_image_in_a_storage_account_tells_its_size_in_bytes(estate: Estate) -> None:
    image = estate.compute.virtual_machine_images.get(
        "westeurope", "Canonical", "UbuntuServer", "18.04-LTS", "18.04.202401161"
    )
    assert (image["properties"]["replicaType"], image.os_disk_image["sizeInBytes"]) == ("Unmanaged", 30 * 1024**3 + 512)
    assert image.automatic_os_upgrade_properties.automatic_os_upgrade_supported


@pytest.mark.parametrize("urn", ["OpenLogic:CentOS:7.5:latest", "canonical:ubuntuserver:18.04-lts:18.04.202106220"])
def test_what_is_offered_beside_debian_boots_debian_in_its_place(estate: Estate, urn: str) -> None:
    reference = dict(zip(("publisher", "offer", "sku", "version"), urn.split(":"), strict=True))
    machine = estate.make_machine(storageProfile={"imageReference": reference, "osDisk": {"createOption": "FromImage"}})
    assert machine["properties"]["storageProfile"]["imageReference"]["exactVersion"]
    assert "Debian" in estate.run("cat /etc/os-release")


@pytest.mark.parametrize("wanted", [("debian-12", "nope", NEWEST), ("debian-12", "12", "9.9.9")])
def test_what_is_not_offered_is_not_found(estate: Estate, wanted: tuple[str, str, str]) -> None:
    assert refusal(lambda: estate.compute.virtual_machine_images.get("westeurope", "Debian", *wanted))[0] == 404


def test_skus_are_those_of_the_location(estate: Estate) -> None:
    skus = {each.name: each for each in estate.compute.resource_skus.list(filter="location eq 'westeurope'")}
    assert skus["Standard_B2s"].locations == ["westeurope"]
    facts = {each.name: each.value for each in skus["Standard_B2s"].capabilities}
    assert (facts["vCPUs"], facts["MemoryGB"], facts["HyperVGenerations"]) == ("2", "4", "V1,V2")
    assert not list(estate.compute.resource_skus.list(filter="location eq 'nowhere'"))


def test_sizes_agree_with_skus(estate: Estate) -> None:
    size = next(each for each in estate.compute.virtual_machine_sizes.list("westeurope") if each.name == "Standard_B2s")
    assert (size.number_of_cores, size.memory_in_mb) == (2, 4096)
