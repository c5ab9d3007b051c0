"""Options of azure-arm that do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.templates.packer.conftest import template, warnings_of

if TYPE_CHECKING:
    from tests.templates.packer.conftest import Load, Mistakes

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
NO_IMAGE = {"image_publisher": None, "image_offer": None, "image_sku": None}
DESTINATION = {"resource_group": "r", "gallery_name": "g", "image_name": "i", "image_version": "1.2.3"}
ONLY_GALLERY = "Azure makes no managed image or VHD of such a machine; use 'shared_image_gallery_destination' alone"
DEFINITION = "providers/Microsoft.Compute/galleries/g/images/d"


@pytest.mark.parametrize(
    ("options", "key_path", "message"),
    [
        (
            {"build_resource_group_name": "g"},
            "build_resource_group_name",
            (
                "this does not go together with 'location': a group that exists has its own location; "
                "one of both is possible"
            ),
        ),
        (
            {"virtual_network_name": "n", "public_ip_sku": "Standard"},
            "public_ip_sku",
            (
                "this does not go together with 'virtual_network_name': the network of 'virtual_network_name' exists, "
                "and is not changed"
            ),
        ),
        (
            {"secure_boot_enabled": True},
            "secure_boot_enabled",
            f"this does not go together with 'managed_image_name': {ONLY_GALLERY}",
        ),
        (
            {"security_type": "ConfidentialVM"},
            "security_type",
            f"ConfidentialVM is not possible here: {ONLY_GALLERY}",
        ),
        (
            {"security_encryption_type": "VMGuestStateOnly"},
            "security_encryption_type",
            "this needs the security_type ConfidentialVM",
        ),
        ({"spot": {"max_price": 1}}, "spot.max_price", "this needs an 'eviction_policy', Deallocate or Delete"),
        (
            {"license_type": "Windows_Server"},
            "license_type",
            "RHEL_BYOS or SLES_BYOS is needed, not 'Windows_Server'",
        ),
        (
            {"os_type": "Windows", "license_type": "RHEL_BYOS"},
            "license_type",
            "Windows_Client or Windows_Server is needed, not 'RHEL_BYOS'",
        ),
        (
            {
                "shared_image_gallery_destination": {
                    **DESTINATION,
                    "replication_regions": ["westus"],
                    "target_region": [{"name": "eastus"}],
                }
            },
            "shared_image_gallery_destination.replication_regions",
            "here is 'target_region' too; one of both is possible",
        ),
        (
            {
                "shared_image_gallery_destination": {**DESTINATION, "target_region": [{"name": "eastus"}]},
                "shared_image_gallery_replica_count": 2,
            },
            "shared_image_gallery_replica_count",
            "give each 'target_region' its 'replicas' instead",
        ),
        (
            {
                "shared_image_gallery_destination": {**DESTINATION, "use_shallow_replication": True},
                "shared_image_gallery_replica_count": 2,
            },
            "shared_image_gallery_replica_count",
            "with 'use_shallow_replication' one replica is possible",
        ),
        (
            {"shared_image_gallery_destination": {**DESTINATION, "specialized": True}},
            "shared_image_gallery_destination.specialized",
            "a managed image is never specialized; leave 'managed_image_name' out",
        ),
        (
            {
                **NO_IMAGE,
                "shared_image_gallery": {
                    "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/{DEFINITION}",
                    "image_name": "d",
                },
            },
            "shared_image_gallery.image_name",
            "the 'id' says this already; one of both is possible",
        ),
    ],
)
def test_options_that_packer_refuses_together_are_refused(
    mistakes: Mistakes, options: dict[str, Any], key_path: str, message: str
) -> None:
    found = [(path, text) for _, path, text in mistakes(template(**options))]
    assert found == [(f"builders[0].{key_path}", message)]


def test_a_storage_account_without_a_container_is_no_target_beside_another(load: Load) -> None:
    loaded = load(template(storage_account="abc", resource_group_name="r"))
    assert loaded[0].template.image.vhd is None
    assert [path for path, _ in warnings_of(loaded)] == [
        "builders[0].storage_account",
        "builders[0].resource_group_name",
    ]
