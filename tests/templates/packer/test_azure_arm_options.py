"""Every option that azure-arm documents is honoured, or has no effect for a reason that is told, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.templates.packer.conftest import template, warnings_of
from verified_images.templates.packer.azure_arm_options import BLOCKS, OPTIONS
from verified_images.templates.packer.values import Kind

if TYPE_CHECKING:
    from tests.templates.packer.conftest import Load, Mistakes

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
IDS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers"
IDENTITY = f"{IDS}/Microsoft.ManagedIdentity/userAssignedIdentities/i"
DISK_KEY = f"{IDS}/Microsoft.Compute/diskEncryptionSets/k"
GALLERY = {"resource_group": "images", "gallery_name": "golden", "image_name": "web", "image_version": "1.0.0"}
NO_IMAGE = {"image_publisher": None, "image_offer": None, "image_sku": None}
VHD = {"resource_group_name": "g", "storage_account": "account", "capture_container_name": "images"}
NETWORK = {"virtual_network_name": "net"}
TO_GALLERY = {
    "managed_image_name": None,
    "managed_image_resource_group_name": None,
    "shared_image_gallery_destination": GALLERY,
}
CONFIDENTIAL = {**TO_GALLERY, "security_type": "ConfidentialVM"}

# The option, a value that is not the default, and what else must be given with it.
HONOURED: list[tuple[str, Any, dict[str, Any]]] = [
    ("image_publisher", "Canonical", {}),
    ("image_offer", "debian-13", {}),
    ("image_sku", "13", {}),
    ("image_version", "1.2.3", {}),
    ("image_url", "https://a.blob.core.windows.net/vhds/a.vhd", NO_IMAGE),
    ("custom_managed_image_name", "a", {**NO_IMAGE, "custom_managed_image_resource_group_name": "g"}),
    ("custom_managed_image_resource_group_name", "g", {**NO_IMAGE, "custom_managed_image_name": "a"}),
    ("shared_image_gallery", {"resource_group": "g", "gallery_name": "a", "image_name": "b"}, NO_IMAGE),
    ("plan_info", {"plan_name": "n", "plan_product": "p", "plan_publisher": "Debian"}, {}),
    ("managed_image_name", "other", {}),
    ("managed_image_resource_group_name", "other", {}),
    ("managed_image_storage_account_type", "Premium_LRS", {}),
    ("managed_image_os_disk_snapshot_name", "os", {}),
    ("managed_image_data_disk_snapshot_prefix", "data", {}),
    ("managed_image_zone_resilient", True, {}),
    ("keep_os_disk", True, {}),
    ("resource_group_name", "other", {**VHD, "resource_group_name": "other"}),
    ("storage_account", "other", {**VHD, "storage_account": "other"}),
    ("capture_container_name", "other", {**VHD, "capture_container_name": "other"}),
    ("capture_name_prefix", "other", VHD),
    ("sas_token_duration", "2h", VHD),
    ("shared_image_gallery_destination", GALLERY, {}),
    ("shared_image_gallery_timeout", "2h", {"shared_image_gallery_destination": GALLERY}),
    ("shared_gallery_image_version_end_of_life_date", "2030-01-01", {"shared_image_gallery_destination": GALLERY}),
    ("shared_image_gallery_replica_count", 3, {"shared_image_gallery_destination": GALLERY}),
    ("shared_gallery_image_version_exclude_from_latest", True, {"shared_image_gallery_destination": GALLERY}),
    ("skip_create_image", True, {}),
    ("location", "North Europe", {}),
    ("vm_size", "Standard_D2s_v3", {}),
    ("os_type", "Windows", {}),
    ("license_type", "RHEL_BYOS", {}),
    ("spot", {"eviction_policy": "Deallocate", "max_price": 0.1}, {}),
    ("user_assigned_managed_identities", [IDENTITY], {}),
    ("accelerated_networking", True, {}),
    ("os_disk_size_gb", 64, {}),
    ("disk_additional_size", [8], {}),
    ("disk_additional_luns", [3], {"disk_additional_size": [8]}),
    ("disk_caching_type", "None", {}),
    ("disk_controller_type", "NVMe", {}),
    ("disk_encryption_set_id", DISK_KEY, TO_GALLERY),
    ("security_type", "TrustedLaunch", {}),
    ("secure_boot_enabled", True, TO_GALLERY),
    ("vtpm_enabled", True, TO_GALLERY),
    ("encryption_at_host", True, {}),
    ("security_encryption_type", "VMGuestStateOnly", CONFIDENTIAL),
    ("virtual_network_name", "net", {}),
    ("virtual_network_subnet_name", "subnet", NETWORK),
    ("virtual_network_resource_group_name", "g", NETWORK),
    ("private_virtual_network_with_public_ip", True, NETWORK),
    ("public_ip_sku", "Basic", {}),
    ("allowed_inbound_ip_addresses", ["203.0.113.7"], {}),
    ("build_resource_group_name", "g", {"location": None}),
    ("azure_tags", {"a": "b"}, {}),
    ("azure_tag", {"name": "a", "value": "b"}, {}),
    ("custom_data", "I2Nsb3Vk", {}),
    ("custom_data_file", "page.html", {}),
    ("user_data", "I2Nsb3Vk", {}),
    ("user_data_file", "page.html", {}),
    ("polling_duration_timeout", "1h", {}),
    ("communicator", "winrm", {}),
    ("pause_before_connecting", "1s", {}),
    ("ssh_username", "builder", {}),
    ("ssh_port", 2222, {}),
    ("ssh_timeout", "1h", {}),
    ("ssh_wait_timeout", "1h", {}),
]
# What has no effect here, each for its reason.
WARNED = [
    option
    for options in (
        # who signs in
        "cloud_environment_name metadata_host client_id client_secret client_cert_path client_cert_password",
        "client_jwt object_id tenant_id subscription_id oidc_request_token oidc_request_url",
        "use_azure_cli_auth client_cert_token_timeout username password",
        # names of what is temporary
        "temp_resource_group_name temp_compute_name temp_nic_name temp_os_disk_name",
        "custom_resource_build_prefix",
        # Windows
        "build_key_vault_name build_key_vault_secret_name build_key_vault_sku skip_create_build_key_vault",
        "winrm_expiration_time custom_script winrm_username winrm_password winrm_host winrm_port",
        "winrm_timeout winrm_no_proxy winrm_use_ssl winrm_insecure winrm_use_ntlm",
        # how the machine is reached
        "ssh_password ssh_keypair_name ssh_private_key_file ssh_certificate_file temporary_key_pair_name",
        "temporary_key_pair_type temporary_key_pair_bits ssh_host ssh_interface ssh_bastion_host",
        "ssh_bastion_port ssh_bastion_username ssh_bastion_password ssh_bastion_private_key_file",
        "ssh_bastion_certificate_file ssh_proxy_host ssh_proxy_port ssh_proxy_username ssh_proxy_password",
        "ssh_file_transfer_method ssh_keep_alive_interval ssh_read_write_timeout ssh_handshake_attempts",
        "ssh_agent_auth ssh_pty ssh_disable_agent_forwarding ssh_bastion_agent_auth ssh_bastion_interactive",
        "ssh_clear_authorized_keys ssh_ciphers ssh_key_exchange_algorithms ssh_remote_tunnels",
        "ssh_local_tunnels",
        # the rest
        "boot_diag_storage_account async_resourcegroup_delete",
    )
    for option in options.split()
]
REFUSED = {
    "community_gallery_image_id": "images of community galleries",
    "direct_shared_gallery_image_id": "images of community galleries",
}


def options(**given: Any) -> str:  # noqa: ANN401 - options of Packer
    """Return a template whose builder has these options beside the least ones."""
    return template(**given)


@pytest.mark.parametrize(("option", "value", "more"), HONOURED, ids=[option for option, _, _ in HONOURED])
def test_an_option_that_is_honoured_makes_another_template_and_no_warning(
    load: Load, option: str, value: object, more: dict[str, Any]
) -> None:
    others = {name: other for name, other in more.items() if name != option}
    (without,) = load(template(**(others | _needed(option))))
    (found,) = load(template(**{**more, option: value}))
    assert found.template != without.template
    assert [warning for warning in found.warnings if option in warning.key_path] == []


def _needed(option: str) -> dict[str, Any]:
    """Return what a template needs that lacks an option of its only source or target."""
    if option in {"image_url", "custom_managed_image_name", "shared_image_gallery"}:
        marketplace = {"image_publisher": "Debian", "image_offer": "debian-12", "image_sku": "12-gen2"}
        return marketplace | {"custom_managed_image_resource_group_name": None}
    if option == "custom_managed_image_resource_group_name":
        return {"custom_managed_image_resource_group_name": "other"}
    if option == "build_resource_group_name":
        return {"location": "westeurope"}
    return {name: other for name, other in VHD.items() if name == option}


@pytest.mark.parametrize("option", WARNED)
def test_an_option_that_makes_no_sense_here_is_a_warning_with_its_reason(load: Load, option: str) -> None:
    value: Any = {Kind.BOOL: True, Kind.TEXTS: ["a"]}.get(OPTIONS[option].kind, "a")
    ((key_path, message),) = warnings_of(load(options(**{option: value})))
    assert key_path == f"builders[0].{option}"
    assert message == f"this has no effect: {OPTIONS[option].ignored}"


@pytest.mark.parametrize(("option", "reason"), REFUSED.items())
def test_an_option_that_cannot_be_honoured_is_refused(mistakes: Mistakes, option: str, reason: str) -> None:
    found = mistakes(template(**NO_IMAGE, shared_image_gallery={option: "x"}))
    assert any(key_path.endswith(option) and message.startswith(reason) for _, key_path, message in found)


def test_the_tables_hold_every_option_once() -> None:
    honoured = [option for option, _, _ in HONOURED]
    assert sorted([*honoured, *WARNED]) == sorted(OPTIONS)
    assert set(REFUSED) < set(BLOCKS["shared_image_gallery"])


@pytest.mark.parametrize("option", OPTIONS)
def test_a_misspelt_option_is_an_error_with_the_nearest_name(mistakes: Mistakes, option: str) -> None:
    ((_, key_path, message),) = mistakes(options(**{f"{option}z": "a"}))
    assert key_path == f"builders[0].{option}z"
    assert message == f"azure-arm has no option '{option}z'; did you mean '{option}'?"
