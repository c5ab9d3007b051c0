"""Every option of Packer's azure-arm builder and of its communicators, and what becomes of it here.

Names and types are those of the plugin's page "Azure Resource Manager Builder" and of the page "Communicators".
"""

from __future__ import annotations

from verified_images.templates.packer.values import Kind, Option

_SIGN_IN = (
    "who signs in to Azure is said on the command line and in its environment (az login, OIDC, a service principal)"
)
_NAMES = "everything temporary is named after its run, so that it is found again if the run is killed"
_WINDOWS = "it is for Windows, which is not built"
_RUN_KEY = "the machine is logged into with an SSH key that is made for each run"
_REACH = "how the machine is reached is said on the command line, since it depends on where the run is"
_SSH = "how the SSH connection works is not the template's business"

_SOURCE = {
    "image_publisher": Option(Kind.TEXT),
    "image_offer": Option(Kind.TEXT),
    "image_sku": Option(Kind.TEXT),
    "image_version": Option(Kind.TEXT),
    "image_url": Option(Kind.TEXT),
    "custom_managed_image_name": Option(Kind.TEXT),
    "custom_managed_image_resource_group_name": Option(Kind.TEXT),
    "shared_image_gallery": Option(Kind.BLOCK),
    "plan_info": Option(Kind.BLOCK),
}
_TARGETS = {
    "managed_image_name": Option(Kind.TEXT, to="image.managed.name"),
    "managed_image_resource_group_name": Option(Kind.TEXT, to="image.managed.resource_group"),
    "managed_image_zone_resilient": Option(Kind.BOOL, to="image.managed.zone_resilient"),
    "managed_image_os_disk_snapshot_name": Option(Kind.TEXT, to="image.managed.os_disk_snapshot"),
    "managed_image_data_disk_snapshot_prefix": Option(Kind.TEXT, to="image.managed.data_disk_snapshot_prefix"),
    "managed_image_storage_account_type": Option(Kind.TEXT, to="builder.os_disk_type"),
    "resource_group_name": Option(Kind.TEXT, to="image.vhd.resource_group"),
    "storage_account": Option(Kind.TEXT, to="image.vhd.storage_account"),
    "capture_container_name": Option(Kind.TEXT, to="image.vhd.container"),
    "capture_name_prefix": Option(Kind.TEXT, to="image.vhd.name_prefix"),
    "sas_token_duration": Option(Kind.DURATION, to="image.vhd.copy_timeout"),
    "shared_image_gallery_destination": Option(Kind.BLOCK),
    "shared_image_gallery_timeout": Option(Kind.DURATION, to="image.gallery.timeout"),
    "shared_gallery_image_version_end_of_life_date": Option(Kind.TEXT, to="image.gallery.end_of_life"),
    "shared_image_gallery_replica_count": Option(Kind.INT, to="image.gallery.replicas"),
    "shared_gallery_image_version_exclude_from_latest": Option(Kind.BOOL, to="image.gallery.exclude_from_latest"),
    "skip_create_image": Option(Kind.BOOL, to="image.skip"),
    "azure_tags": Option(Kind.MAP),
    "azure_tag": Option(Kind.BLOCKS),
}
_MACHINE = {
    "location": Option(Kind.TEXT, to="builder.location"),
    "vm_size": Option(Kind.TEXT, to="builder.vm_size"),
    "os_type": Option(Kind.TEXT),
    "license_type": Option(Kind.TEXT, to="builder.license_type"),
    "spot": Option(Kind.BLOCK),
    "user_assigned_managed_identities": Option(Kind.TEXTS, to="builder.user_assigned_managed_identities"),
    "os_disk_size_gb": Option(Kind.INT, to="builder.os_disk_size_gb"),
    "disk_additional_size": Option(Kind.INTS, to="builder.data_disk_sizes_gb"),
    "disk_additional_luns": Option(Kind.INTS, to="builder.data_disk_luns"),
    "disk_caching_type": Option(Kind.TEXT, to="builder.os_disk_caching"),
    "disk_controller_type": Option(Kind.TEXT, to="builder.disk_controller_type"),
    "disk_encryption_set_id": Option(Kind.TEXT, to="builder.disk_encryption_set"),
    "keep_os_disk": Option(Kind.BOOL, to="builder.keep_os_disk"),
    "security_type": Option(Kind.TEXT, to="builder.security_type"),
    "security_encryption_type": Option(Kind.TEXT, to="builder.security_encryption_type"),
    "secure_boot_enabled": Option(Kind.BOOL, to="builder.secure_boot"),
    "vtpm_enabled": Option(Kind.BOOL, to="builder.vtpm"),
    "encryption_at_host": Option(Kind.BOOL, to="builder.encryption_at_host"),
    "virtual_network_name": Option(Kind.TEXT, to="builder.virtual_network.name"),
    "virtual_network_subnet_name": Option(Kind.TEXT, to="builder.virtual_network.subnet"),
    "virtual_network_resource_group_name": Option(Kind.TEXT, to="builder.virtual_network.resource_group"),
    "private_virtual_network_with_public_ip": Option(Kind.BOOL),
    "public_ip_sku": Option(Kind.TEXT),
    "accelerated_networking": Option(Kind.BOOL, to="builder.accelerated_networking"),
    "allowed_inbound_ip_addresses": Option(Kind.TEXTS, to="builder.allowed_inbound_ip_addresses"),
    "build_resource_group_name": Option(Kind.TEXT, to="builder.resource_group"),
    "custom_data": Option(Kind.SECRET),
    "custom_data_file": Option(Kind.TEXT),
    "user_data": Option(Kind.SECRET),
    "user_data_file": Option(Kind.TEXT),
    "polling_duration_timeout": Option(Kind.DURATION, to="builder.operation_timeout"),
    "communicator": Option(Kind.TEXT),
    "pause_before_connecting": Option(Kind.DURATION, to="builder.pause_before_connecting"),
    "ssh_username": Option(Kind.TEXT, to="builder.username"),
    "ssh_port": Option(Kind.INT, to="builder.ssh_port"),
    "ssh_timeout": Option(Kind.DURATION, to="builder.ssh_timeout"),
    "ssh_wait_timeout": Option(Kind.DURATION, to="builder.ssh_timeout"),
}
_IGNORED_TEXTS = {
    _SIGN_IN: "cloud_environment_name metadata_host client_id client_secret client_cert_path client_cert_password "
    "client_jwt object_id tenant_id subscription_id oidc_request_token oidc_request_url client_cert_token_timeout",
    _NAMES: "temp_resource_group_name temp_compute_name temp_nic_name temp_os_disk_name custom_resource_build_prefix",
    _WINDOWS: "build_key_vault_name build_key_vault_secret_name build_key_vault_sku custom_script "
    "winrm_expiration_time winrm_username winrm_password winrm_host winrm_port winrm_timeout",
    _RUN_KEY: "ssh_password ssh_keypair_name ssh_private_key_file ssh_certificate_file temporary_key_pair_name "
    "temporary_key_pair_type temporary_key_pair_bits",
    _REACH: "ssh_host ssh_interface ssh_bastion_host ssh_bastion_port ssh_bastion_username ssh_bastion_password "
    "ssh_bastion_private_key_file ssh_bastion_certificate_file ssh_proxy_host ssh_proxy_port ssh_proxy_username "
    "ssh_proxy_password",
    _SSH: "ssh_file_transfer_method ssh_keep_alive_interval ssh_read_write_timeout ssh_handshake_attempts",
    "Packer itself takes 'ssh_username' and a password that it makes up": "username password",
    "boot diagnostics are always on, in storage that Azure manages": "boot_diag_storage_account",
}
_IGNORED_BOOLS = {
    _SIGN_IN: "use_azure_cli_auth",
    _WINDOWS: "skip_create_build_key_vault winrm_no_proxy winrm_use_ssl winrm_insecure winrm_use_ntlm",
    _RUN_KEY: "ssh_agent_auth ssh_disable_agent_forwarding ssh_bastion_agent_auth ssh_bastion_interactive",
    "the run's key never gets into an image": "ssh_clear_authorized_keys",
    "commands run without a terminal, so that their output and their errors stay apart": "ssh_pty",
    "a clean-up that nobody waits for cannot tell what is left": "async_resourcegroup_delete",
}
_IGNORED_LISTS = {_SSH: "ssh_ciphers ssh_key_exchange_algorithms ssh_remote_tunnels ssh_local_tunnels"}

OPTIONS: dict[str, Option] = {
    **_SOURCE,
    **_TARGETS,
    **_MACHINE,
    **{
        name: Option(kind, ignored=reason)
        for kind, reasons in (
            (Kind.TEXT, _IGNORED_TEXTS),
            (Kind.BOOL, _IGNORED_BOOLS),
            (Kind.TEXTS, _IGNORED_LISTS),
        )
        for reason, names in reasons.items()
        for name in names.split()
    },
}
"""The options by name."""

BLOCKS: dict[str, dict[str, Option]] = {
    "shared_image_gallery": {
        name: Option(Kind.TEXT)
        for name in (
            "id",
            "subscription",
            "resource_group",
            "gallery_name",
            "image_name",
            "image_version",
            "community_gallery_image_id",
            "direct_shared_gallery_image_id",
        )
    },
    "shared_image_gallery_destination": {
        "subscription": Option(Kind.TEXT, to="image.gallery.subscription"),
        "resource_group": Option(Kind.TEXT, to="image.gallery.resource_group"),
        "gallery_name": Option(Kind.TEXT, to="image.gallery.gallery"),
        "image_name": Option(Kind.TEXT, to="image.gallery.definition"),
        "image_version": Option(Kind.TEXT, to="image.gallery.version"),
        "replication_regions": Option(Kind.TEXTS),
        "target_region": Option(Kind.BLOCKS),
        "storage_account_type": Option(Kind.TEXT, to="image.gallery.storage_account_type"),
        "specialized": Option(Kind.BOOL, to="image.gallery.specialized"),
        "use_shallow_replication": Option(Kind.BOOL, to="image.gallery.shallow_replication"),
        "confidential_vm_image_encryption_type": Option(Kind.TEXT, to="image.gallery.confidential_vm_encryption"),
    },
    "target_region": {
        "name": Option(Kind.TEXT),
        "disk_encryption_set_id": Option(Kind.TEXT),
        "replicas": Option(Kind.INT),
    },
    "plan_info": {
        "plan_name": Option(Kind.TEXT, to="builder.plan.name"),
        "plan_product": Option(Kind.TEXT, to="builder.plan.product"),
        "plan_publisher": Option(Kind.TEXT, to="builder.plan.publisher"),
        "plan_promotion_code": Option(Kind.SECRET, to="builder.plan.promotion_code"),
    },
    "spot": {
        "eviction_policy": Option(Kind.TEXT, to="builder.spot.eviction_policy"),
        "max_price": Option(Kind.NUMBER, to="builder.spot.max_price"),
    },
    "azure_tag": {"name": Option(Kind.TEXT), "value": Option(Kind.TEXT)},
}
"""The options of each block."""
