"""The options of azure-arm: what becomes of each in the model."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.templates.packer.conftest import Load, Mistakes, template, warnings_of
from verified_images.templates.model import (
    LOCATION_OF_RESOURCE_GROUP,
    GalleryImage,
    GalleryTarget,
    ManagedImage,
    ManagedTarget,
    Plan,
    Spot,
    TargetRegion,
    Template,
    VhdImage,
    VhdTarget,
    VirtualNetwork,
    reveal,
)
from verified_images.templates.packer.azure_arm_options import BLOCKS, OPTIONS
from verified_images.templates.packer.values import Kind

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/a/providers/Microsoft.ManagedIdentity/userAssignedIdentities/b"
)
DISK_KEY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/a/providers/Microsoft.Compute/diskEncryptionSets/b"
NO_IMAGE = {"image_publisher": None, "image_offer": None, "image_sku": None}
NO_TARGET = {"managed_image_name": None, "managed_image_resource_group_name": None}
DESTINATION = {"resource_group": "r", "gallery_name": "g", "image_name": "i", "image_version": "1.2.3"}
TO_GALLERY = {**NO_TARGET, "shared_image_gallery_destination": DESTINATION}
CONFIDENTIAL = {**TO_GALLERY, "security_type": "ConfidentialVM"}


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        ({"os_type": "linux", "communicator": "SSH"}, "os_type", "Linux"),
        ({"os_type": "Windows", "communicator": "winrm"}, "communicator", "winrm"),
        ({"os_disk_size_gb": "64"}, "os_disk_size_gb", 64),
        ({"os_disk_size_gb": 0}, "os_disk_size_gb", None),
        ({}, "os_disk_type", "Standard_LRS"),
        ({"managed_image_storage_account_type": "Premium_LRS"}, "os_disk_type", "Premium_LRS"),
        ({"disk_caching_type": "None"}, "os_disk_caching", "None"),
        ({"disk_additional_size": [10, "20"], "disk_additional_luns": [3, 5]}, "data_disk_sizes_gb", (10, 20)),
        ({"disk_controller_type": "NVMe"}, "disk_controller_type", "NVMe"),
        ({**TO_GALLERY, "disk_encryption_set_id": DISK_KEY}, "disk_encryption_set", DISK_KEY),
        ({"keep_os_disk": "true"}, "keep_os_disk", True),
        ({"ssh_username": "builder"}, "username", "builder"),
        ({"ssh_port": 2222}, "ssh_port", 2222),
        ({"ssh_timeout": "1h30m"}, "ssh_timeout", 5400.0),
        ({"ssh_wait_timeout": "90s"}, "ssh_timeout", 90.0),
        ({"pause_before_connecting": "10s"}, "pause_before_connecting", 10.0),
        ({"polling_duration_timeout": "30m"}, "operation_timeout", 1800.0),
        ({"license_type": "RHEL_BYOS"}, "license_type", "RHEL_BYOS"),
        ({"spot": {"eviction_policy": "Delete", "max_price": 0.5}}, "spot", Spot(max_price=0.5)),
        ({"spot": {"eviction_policy": ""}}, "spot", None),
        ({"user_assigned_managed_identities": [IDENTITY]}, "user_assigned_managed_identities", (IDENTITY,)),
        ({**CONFIDENTIAL, "secure_boot_enabled": True}, "secure_boot", True),
        ({**TO_GALLERY, "vtpm_enabled": "1"}, "vtpm", True),
        ({"encryption_at_host": False}, "encryption_at_host", False),
        (
            {**CONFIDENTIAL, "security_encryption_type": "VMGuestStateOnly"},
            "security_encryption_type",
            "VMGuestStateOnly",
        ),
        ({"accelerated_networking": True}, "accelerated_networking", True),
        ({"allowed_inbound_ip_addresses": "203.0.113.7"}, "allowed_inbound_ip_addresses", ("203.0.113.7/32",)),
        ({"public_ip_sku": "basic"}, "public_ip_sku", "Basic"),
        (
            {"virtual_network_name": "a", "virtual_network_subnet_name": "b"},
            "virtual_network",
            VirtualNetwork(name="a", subnet="b"),
        ),
        ({"virtual_network_name": "a"}, "public_ip", False),
        ({"virtual_network_name": "a", "private_virtual_network_with_public_ip": True}, "public_ip", True),
        ({"build_resource_group_name": "rg", "location": None}, "location", LOCATION_OF_RESOURCE_GROUP),
        ({"build_resource_group_name": "rg", "location": ""}, "resource_group", "rg"),
        ({"custom_data": base64.b64encode(b"#cloud-config\n").decode()}, "custom_data", "#cloud-config\n"),
        ({"user_data_file": "page.html"}, "user_data", "<h1>Hello</h1>\n"),
        (
            {"azure_tags": {"team": "web", "n": 1}, "azure_tag": {"name": "a", "value": "b"}},
            "tags",
            {"team": "web", "n": "1", "a": "b"},
        ),
        (
            {"plan_info": {"plan_name": "n", "plan_product": "p", "plan_publisher": "Debian"}},
            "plan",
            Plan(publisher="Debian", product="p", name="n"),
        ),
        (
            {**NO_IMAGE, "custom_managed_image_name": "a", "custom_managed_image_resource_group_name": "b"},
            "source",
            ManagedImage(resource_group="b", name="a"),
        ),
        (
            {**NO_IMAGE, "image_url": "https://a.blob.core.windows.net/vhds/a.vhd"},
            "source",
            VhdImage(uri="https://a.blob.core.windows.net/vhds/a.vhd"),
        ),
        (
            {**NO_IMAGE, "shared_image_gallery": {"resource_group": "r", "gallery_name": "g", "image_name": "d"}},
            "source",
            GalleryImage(resource_group="r", gallery="g", definition="d"),
        ),
        (
            {
                **NO_IMAGE,
                "shared_image_gallery": {
                    "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/providers/Microsoft.Compute/galleries/g"
                    "/images/d/versions/1.2.3"
                },
            },
            "source",
            GalleryImage(subscription=SUBSCRIPTION, resource_group="r", gallery="g", definition="d", version="1.2.3"),
        ),
    ],
)
def test_an_option_goes_to_the_builder(load: Load, options: dict[str, Any], key: str, value: object) -> None:
    builder = load(template(**options))[0].template.builder
    found = getattr(builder, key)
    assert (reveal(found) if key.endswith("_data") else found) == value


def target(load: Load, **options: Any) -> Template:  # noqa: ANN401 - options
    return load(template(**options))[0].template


def test_a_managed_image_is_a_target(load: Load) -> None:
    found = target(load, managed_image_zone_resilient=True, managed_image_os_disk_snapshot_name="s")
    assert found.image.managed == ManagedTarget(
        resource_group="images", name="nginx", zone_resilient=True, os_disk_snapshot="s"
    )


def test_a_vhd_is_a_target(load: Load) -> None:
    options = {"capture_container_name": "vhds", "storage_account": "abc", "resource_group_name": "r"}
    found = target(load, **NO_TARGET, **{**options, "capture_container_name": "images"}, sas_token_duration="48h")
    assert found.image.vhd == VhdTarget(
        resource_group="r", storage_account="abc", container="images", copy_timeout=172800
    )


def test_a_gallery_is_a_target(load: Load) -> None:
    destination = {
        "subscription": SUBSCRIPTION,
        "resource_group": "r",
        "gallery_name": "g",
        "image_name": "d",
        "image_version": "1.2.3",
        "replication_regions": ["North Europe", "westeurope"],
        "storage_account_type": "Premium_LRS",
    }
    options = {
        "shared_image_gallery_timeout": "2h",
        "shared_image_gallery_replica_count": 3,
        "shared_gallery_image_version_exclude_from_latest": True,
        "shared_gallery_image_version_end_of_life_date": "2027-01-02T15:04:05.99Z",
    }
    found = target(load, **NO_TARGET, shared_image_gallery_destination=destination, **options)
    assert found.image.managed is None
    assert found.image.gallery == GalleryTarget.model_validate(
        {
            "subscription": SUBSCRIPTION,
            "resource_group": "r",
            "gallery": "g",
            "definition": "d",
            "version": "1.2.3",
            "regions": ["westeurope", "northeurope"],
            "storage_account_type": "Premium_LRS",
            "timeout": "2h",
            "replicas": 3,
            "exclude_from_latest": True,
            "end_of_life": "2027-01-02T15:04:05.99Z",
        }
    )


def test_a_gallery_has_regions_with_keys_and_replicas_of_their_own(load: Load) -> None:
    destination = {
        "resource_group": "r",
        "gallery_name": "g",
        "image_name": "d",
        "image_version": "1.2.3",
        "target_region": [{"name": "westeurope", "disk_encryption_set_id": DISK_KEY}, {"name": "northeurope"}],
    }
    gallery = target(load, shared_image_gallery_destination=destination).image.gallery
    assert gallery is not None
    assert gallery.regions == ("westeurope", "northeurope")
    assert gallery.target_regions == (TargetRegion(name="westeurope", disk_encryption_set=DISK_KEY),)


def test_a_build_may_make_no_image(load: Load) -> None:
    assert target(load, **NO_TARGET, skip_create_image=True).image.skip


@pytest.mark.parametrize(
    ("options", "key_path", "message"),
    [
        (
            {"client_id": "x"},
            "client_id",
            (
                "this has no effect: who signs in to Azure is said on the command line and in "
                "its environment (az login, OIDC, a service principal)"
            ),
        ),
        (
            {"temp_resource_group_name": "x"},
            "temp_resource_group_name",
            (
                "this has no effect: everything temporary is named "
                "after its run, so that it is found again if the run is killed"
            ),
        ),
        (
            {"async_resourcegroup_delete": True},
            "async_resourcegroup_delete",
            "this has no effect: a clean-up that nobody waits for cannot tell what is left",
        ),
        (
            {"shared_image_gallery_timeout": "2h"},
            "shared_image_gallery_timeout",
            "this has no effect without 'shared_image_gallery_destination'",
        ),
        (
            {"shared_image_gallery_destination": {"resource_group": "r"}},
            "shared_image_gallery_destination",
            "this has no effect without 'gallery_name'",
        ),
        (
            {"private_virtual_network_with_public_ip": True},
            "private_virtual_network_with_public_ip",
            "this has no effect without 'virtual_network_name'",
        ),
        ({"vm_size": None}, "", "no vm_size is given, so that Packer's default is taken, Standard_A1"),
        (
            {"shared_image_gallery_destination": {"resource_group": "r", "gallery_name": "g", "image_name": "i"}},
            "shared_image_gallery_destination",
            "no image_version is given, so that the next patch number is taken",
        ),
    ],
)
def test_an_option_without_effect_is_warned_of(
    load: Load, options: dict[str, Any], key_path: str, message: str
) -> None:
    assert warnings_of(load(template(**options))) == [(f"builders[0].{key_path}".rstrip("."), message)]


def test_an_option_that_asks_for_nothing_is_not_warned_of(load: Load) -> None:
    options: dict[str, Any] = {
        "client_secret": "",
        "use_azure_cli_auth": False,
        "ssh_pty": "false",
        "temp_nic_name": None,
    }
    assert load(template(**options))[0].warnings == ()


@pytest.mark.parametrize(
    ("options", "key_path", "message"),
    [
        ({"keep_os_disk": "maybe"}, "keep_os_disk", "true or false is needed, not 'maybe'"),
        ({"os_disk_size_gb": "1.5"}, "os_disk_size_gb", "a whole number is needed, not '1.5'"),
        ({"ssh_timeout": "20"}, "ssh_timeout", "a duration with its unit, such as 20m is needed, not '20'"),
        ({"azure_tags": "x"}, "azure_tags", "a mapping of names to texts is needed, not 'x'"),
        (
            {"azure_tags": {"windows-x": "y"}},
            "azure_tags",
            "the tag name 'windows-x' is reserved: it begins with one of vi-, microsoft, azure, windows",
        ),
        ({"spot": "x"}, "spot", "a block is needed, not 'x'"),
        ({"spot": {"price": 1}}, "spot.price", "spot has no option 'price'; did you mean 'max_price'?"),
        ({"communicator": "none"}, "communicator", "ssh or winrm is needed, not 'none'"),
        (
            {"location": None},
            "",
            "the option 'location' is required, or 'build_resource_group_name', a group whose location is taken",
        ),
        ({"image_sku": None}, "", "the option 'image_sku' is required"),
        ({"managed_image_name": None}, "", "the option 'managed_image_name' is required"),
        (
            {"managed_image_name": "-x"},
            "managed_image_name",
            (
                "'-x' is not allowed: an image's name has 1 to 80 letters, digits, '_', '-' or "
                "'.', begins with a letter or digit "
                "and ends with a letter, digit or '_'"
            ),
        ),
        (
            {"image_url": "https://a/b.vhd"},
            "image_url",
            "one source is needed, not several: here is 'image_publisher' too",
        ),
        (
            NO_IMAGE,
            "",
            (
                "a source is needed: image_publisher, image_offer and image_sku, custom_managed_image_name, "
                "shared_image_gallery or image_url"
            ),
        ),
        (
            NO_TARGET,
            "",
            (
                "a target is needed: managed_image_name with managed_image_resource_group_name, "
                "shared_image_gallery_destination, or capture_container_name with "
                "storage_account and resource_group_name"
            ),
        ),
        (
            {"custom_data": "{}"},
            "custom_data",
            "Base64 is needed here; or name a file with the text in 'custom_data_file'",
        ),
        ({"custom_data": "/w=="}, "custom_data", "the data are not UTF-8 text; give cloud-init its text uncompressed"),
        (
            {"custom_data": "YQ==", "custom_data_file": "page.html"},
            "custom_data_file",
            "here is 'custom_data' too; one of both is needed",
        ),
        (
            {"custom_data_file": "pages.html"},
            "custom_data_file",
            "there is no file 'pages.html' beside the template or in '{cwd}'; did you mean 'page.html'?",
        ),
        (
            {**NO_IMAGE, "shared_image_gallery": {"id": "x"}},
            "shared_image_gallery.id",
            "this is not the id of an image definition or version in a gallery",
        ),
        (
            {**NO_IMAGE, "shared_image_gallery": {"gallery_name": "g", "image_name": "d"}},
            "shared_image_gallery",
            "the option 'resource_group' is required",
        ),
        (
            {**NO_IMAGE, "shared_image_gallery": {"community_gallery_image_id": "x"}},
            "shared_image_gallery.community_gallery_image_id",
            (
                "images of community galleries and of galleries that are shared directly cannot "
                "be built from; name the image "
                "definition in its own gallery"
            ),
        ),
        (
            {"user_assigned_managed_identities": ["x"]},
            "user_assigned_managed_identities[0]",
            (
                "'x' is not the id of one of Microsoft.ManagedIdentity/userAssignedIdentities; "
                "it looks like /subscriptions/<id>/"
                "resourceGroups/<group>/providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>"
            ),
        ),
        (
            {"disk_additional_size": [1], "disk_additional_luns": [1, 2]},
            "disk_additional_luns",
            "one number for each of 'disk_additional_size' is needed, each once",
        ),
        ({"azure_tag": [{"value": "a"}]}, "azure_tag[0]", "the option 'name' is required"),
    ],
)
def test_a_mistake_is_told(mistakes: Mistakes, options: dict[str, Any], key_path: str, message: str) -> None:
    found = [(path, text) for _, path, text in mistakes(template(**options))]
    assert found == [(f"builders[0].{key_path}".rstrip("."), message.replace("{cwd}", str(Path.cwd())))]


def test_a_file_may_be_in_the_folder_of_the_run(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.txt").write_text("#cloud-config\n")
    monkeypatch.chdir(tmp_path)
    builder = load(template(custom_data_file="data.txt"))[0].template.builder
    assert reveal(builder.custom_data or "") == "#cloud-config\n"


def test_every_option_has_one_fate() -> None:
    for table in (OPTIONS, *BLOCKS.values()):
        for option in table.values():
            assert isinstance(option.kind, Kind)
            assert not (option.to and option.ignored)
