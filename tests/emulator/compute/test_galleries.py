from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

VERSIONS = "galleries/gallery/images/definition/versions"


@pytest.fixture
def gallery(estate: Estate) -> Estate:
    """Give the estate with a definition in a gallery, and a generalized machine to make versions of."""
    estate.make_definition()
    estate.make_generalized()
    return estate


def test_galleries_and_definitions_are_deleted_from_the_inside_out(gallery: Estate) -> None:
    gallery.make_version()
    compute = gallery.compute
    for delete in (
        lambda: compute.galleries.begin_delete("g", "gallery"),
        lambda: compute.gallery_images.begin_delete("g", "gallery", "definition"),
    ):
        status, code, message = refusal(delete)
        assert (status, code) == (409, "CannotDeleteResource")
        assert "Microsoft.Compute/galleries/gallery/images/definition" in message
    compute.gallery_image_versions.begin_delete("g", "gallery", "definition", "1.0.0").result()
    compute.gallery_images.begin_delete("g", "gallery", "definition").result()
    compute.galleries.begin_delete("g", "gallery").result()
    assert list(compute.galleries.list()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("osState", "Specialized"),
        ("hyperVGeneration", "V1"),
        ("identifier", {"publisher": "p", "offer": "o", "sku": "t"}),
    ],
)
def test_what_a_definition_says_of_the_system_never_changes(estate: Estate, key: str, value: object) -> None:
    estate.make_definition()
    error = refusal(lambda: estate.make_definition(**{key: value}))
    assert error[:2] == (409, "PropertyChangeNotAllowed")
    estate.make_definition(description="but this may")


def test_an_identifier_is_used_once_in_a_gallery(estate: Estate) -> None:
    body = estate.call("GET", f"galleries/gallery/images/{estate.make_definition().name}").json()
    again = {"location": LOCATION, "properties": body["properties"]}
    assert estate.call("PUT", "galleries/gallery/images/other", again).status_code == 409


def test_a_new_version_shows_the_defaults_that_azure_fills_in(gallery: Estate) -> None:
    body = gallery.version_body(gallery.id("virtualMachines", "vm"), regions=("westeurope", "eastus2"))
    answer = gallery.call("PUT", f"{VERSIONS}/1.0.0", body)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Creating")
    assert "/capsOperations/" in answer.headers["Azure-AsyncOperation"]
    properties = gallery.call("GET", f"{VERSIONS}/1.0.0").json()["properties"]
    profile = properties["publishingProfile"]
    assert profile.pop("publishedDate")
    assert profile == {
        "targetRegions": [
            {"name": name, "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
            for name in ("West Europe", "East US 2")
        ],
        "replicaCount": 1,
        "excludeFromLatest": False,
        "storageAccountType": "Standard_LRS",
    }
    assert properties["storageProfile"]["osDiskImage"]["sizeInGB"] == 30
    assert properties["safetyProfile"] == {
        "reportedForPolicyViolation": False,
        "allowDeletionOfReplicatedLocations": False,
    }
    assert "replicationStatus" not in properties


def test_the_replication_status_comes_on_demand(gallery: Estate) -> None:
    gallery.make_version(regions=("westeurope", "eastus2"))
    answer = gallery.call("GET", f"{VERSIONS}/1.0.0?$expand=ReplicationStatus")
    status = answer.json()["properties"]["replicationStatus"]
    assert status["aggregatedState"] == "Completed"
    assert [(each["region"], each["state"], each["progress"]) for each in status["summary"]] == [
        ("West Europe", "Completed", 100),
        ("East US 2", "Completed", 100),
    ]


def test_the_target_regions_include_the_version_s_own(gallery: Estate) -> None:
    error = refusal(lambda: gallery.make_version(regions=("eastus2",)))
    assert error[:2] == (400, "InvalidParameter")
    assert refusal(lambda: gallery.make_version(regions=("westeurope", "atlantis")))[0] == 400


@pytest.mark.parametrize("name", ["1.0", "v1.0.0", "1.0.0-rc1", "1.0.99999999999", "1.0.2147483648"])
def test_a_version_is_named_by_three_numbers(gallery: Estate, name: str) -> None:
    assert refusal(lambda: gallery.make_version(name))[:2] == (400, "InvalidParameter")


def test_a_version_agrees_with_its_definition(estate: Estate) -> None:
    estate.make_definition(hyperVGeneration="V1")
    estate.make_machine()
    status, code, message = refusal(estate.make_version)
    assert (status, code) == (400, "BadRequest")
    assert "different OS state ['Specialized'] than the parent gallery image OS state ['Generalized']" in message
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.generalize("g", "vm")
    assert "Hypervisor generation ['V2']" in refusal(estate.make_version)[2]


def _resolved(estate: Estate, reference: str = "") -> str:
    """Give the version that a new machine is made from."""
    image = {"id": estate.id("galleries", "gallery/images/definition") + reference}
    storage = {"imageReference": image, "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}}
    machine = estate.make_machine("probe", storageProfile=storage)
    estate.compute.virtual_machines.begin_delete("g", "probe").result()
    return str(machine.storage_profile.image_reference.exact_version)


def test_latest_is_the_highest_number_that_is_not_excluded(gallery: Estate) -> None:
    for name, excluded in (("1.0.9", False), ("1.0.10", False), ("1.1.0", True)):
        gallery.make_version(name, excludeFromLatest=excluded)
    assert _resolved(gallery) == "1.0.10"
    assert _resolved(gallery, "/versions/1.1.0") == "1.1.0"


def test_a_candidate_is_promoted_by_patch(gallery: Estate) -> None:
    gallery.make_version(excludeFromLatest=True)
    assert refusal(lambda: _resolved(gallery))[:2] == (404, "GalleryImageNotFound")
    change = {"properties": {"publishingProfile": {"excludeFromLatest": False}}}
    versions = gallery.compute.gallery_image_versions
    versions.begin_update("g", "gallery", "definition", "1.0.0", change).result()
    assert _resolved(gallery) == "1.0.0"


def test_a_candidate_is_promoted_by_put_as_the_cli_does_it(gallery: Estate) -> None:
    gallery.make_version(excludeFromLatest=True)
    body = gallery.call("GET", f"{VERSIONS}/1.0.0").json()
    body["properties"]["storageProfile"] = {}
    body["properties"]["publishingProfile"]["excludeFromLatest"] = False
    answer = gallery.call("PUT", f"{VERSIONS}/1.0.0", body)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    after = gallery.call("GET", f"{VERSIONS}/1.0.0").json()["properties"]
    assert after["storageProfile"]["source"]["virtualMachineId"] == gallery.id("virtualMachines", "vm")
    assert _resolved(gallery) == "1.0.0"


def test_the_source_of_a_version_never_changes(gallery: Estate) -> None:
    gallery.make_version()
    error = refusal(lambda: gallery.make_version(source=gallery.make_image().id))
    assert error[:2] == (409, "PropertyChangeNotAllowed")


def test_a_version_is_to_be_had_where_it_is_replicated(gallery: Estate) -> None:
    gallery.make_version()
    body = gallery.scale_set_body(image={"id": gallery.id("galleries", "gallery/images/definition")})
    body["location"] = "eastus"
    answer = gallery.call("PUT", "virtualMachineScaleSets/ss", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "GalleryImageNotFound")
    assert "is not available in eastus region" in answer.json()["error"]["message"]


def test_versions_are_made_of_images_disks_and_versions(gallery: Estate) -> None:
    disk = gallery.compute.virtual_machines.get("g", "vm").storage_profile.os_disk.managed_disk.id
    gallery.make_version("1.0.0", source=gallery.make_image().id)
    gallery.make_version("1.0.2", source=gallery.id("galleries", "gallery/images/definition/versions/1.0.0"))
    body = gallery.version_body("")
    body["properties"]["storageProfile"] = {"osDiskImage": {"source": {"id": disk}}}
    versions = gallery.compute.gallery_image_versions
    versions.begin_create_or_update("g", "gallery", "definition", "1.0.3", body).result()
    for name in ("1.0.0", "1.0.2"):
        versions.begin_delete("g", "gallery", "definition", name).result()
    assert _resolved(gallery) == "1.0.3"


def test_a_specialized_version_boots_without_a_user(estate: Estate) -> None:
    estate.make_definition(osState="Specialized")
    estate.make_machine()
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.make_version()
    image = {"id": estate.id("galleries", "gallery/images/definition")}
    body = estate.machine_body(estate.make_nic())
    body["properties"]["storageProfile"]["imageReference"] = image
    assert estate.call("PUT", "virtualMachines/other", body).json()["error"]["target"] == "osProfile"
    del body["properties"]["osProfile"]
    estate.compute.virtual_machines.begin_create_or_update("g", "other", body).result()
    assert "[stdout]\nvm\n" in estate.run("hostname", "other")
