"""What options of azure-arm may not say together: the rules by which Packer's plugin refuses a template.

They are those of the plugin's ``Config.Prepare``; what it asks of single options is a part of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from verified_images.templates.packer.values import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.packer.values import Options

_GALLERY = "shared_image_gallery_destination"
_ONLY_GALLERY = f"Azure makes no managed image or VHD of such a machine; use '{_GALLERY}' alone"
_NEW_NETWORK = "the network of 'virtual_network_name' exists, and is not changed"
_LICENSES = {"linux": ("rhel_byos", "sles_byos"), "windows": ("windows_client", "windows_server")}
_ID_PARTS = ("subscription", "resource_group", "gallery_name", "image_name", "image_version")


class _Clash(NamedTuple):
    """An option that another one makes impossible, for a ``reason``."""

    option: str
    other: str
    reason: str


_CLASHES = (
    _Clash(
        "build_resource_group_name", "location", "a group that exists has its own location; one of both is possible"
    ),
    _Clash("public_ip_sku", "virtual_network_name", _NEW_NETWORK),
    _Clash("allowed_inbound_ip_addresses", "virtual_network_name", _NEW_NETWORK),
    _Clash("secure_boot_enabled", "managed_image_name", _ONLY_GALLERY),
    _Clash("vtpm_enabled", "managed_image_name", _ONLY_GALLERY),
    _Clash("disk_encryption_set_id", "managed_image_name", _ONLY_GALLERY),
    _Clash("disk_encryption_set_id", "capture_container_name", _ONLY_GALLERY),
)


def check_together(options: Options, findings: Findings) -> None:
    """Note what Packer would refuse about options that do not go together."""
    for clash in _CLASHES:
        if options.get(clash.option) and options.get(clash.other):
            path = (*options.path, clash.option)
            findings.error(path, f"this does not go together with '{clash.other}': {clash.reason}")
    for name, message in (*_machine(options), *_gallery(options), *_source(options)):
        findings.error((*options.path, *name.split(".")), message)


def _machine(options: Options) -> Iterator[tuple[str, str]]:
    security = options.get("security_type")
    if security == "ConfidentialVM" and any(map(options.get, ("managed_image_name", "capture_container_name"))):
        yield "security_type", f"ConfidentialVM is not possible here: {_ONLY_GALLERY}"
    if options.get("security_encryption_type") and security != "ConfidentialVM":
        yield "security_encryption_type", "this needs the security_type ConfidentialVM"
    sizes, luns = options.get("disk_additional_size") or (), options.get("disk_additional_luns") or ()
    if luns and (len(luns) != len(sizes) or len(set(luns)) != len(luns)):
        yield "disk_additional_luns", "one number for each of 'disk_additional_size' is needed, each once"
    for spot in blocks_of(options.get("spot"), ()):
        if spot.data.get("max_price") and not spot.data.get("eviction_policy"):
            yield "spot.max_price", "this needs an 'eviction_policy', Deallocate or Delete"
    system = (options.get("os_type") or "linux").lower()
    license_type = options.get("license_type")
    if license_type and license_type.lower() not in _LICENSES.get(system, (license_type.lower(),)):
        wanted = "RHEL_BYOS or SLES_BYOS" if system == "linux" else "Windows_Client or Windows_Server"
        yield "license_type", f"{wanted} is needed, not {license_type!r}"


def _gallery(options: Options) -> Iterator[tuple[str, str]]:
    for gallery in blocks_of(options.get(_GALLERY), ()):
        targets, count = gallery.data.get("target_region"), options.get("shared_image_gallery_replica_count")
        if targets and gallery.data.get("replication_regions"):
            yield f"{_GALLERY}.replication_regions", "here is 'target_region' too; one of both is possible"
        if targets and count:
            yield "shared_image_gallery_replica_count", "give each 'target_region' its 'replicas' instead"
        if gallery.data.get("use_shallow_replication") in (True, "true") and count and count > 1:
            yield "shared_image_gallery_replica_count", "with 'use_shallow_replication' one replica is possible"
        if gallery.data.get("specialized") in (True, "true") and options.get("managed_image_name"):
            yield f"{_GALLERY}.specialized", "a managed image is never specialized; leave 'managed_image_name' out"


def _source(options: Options) -> Iterator[tuple[str, str]]:
    for gallery in blocks_of(options.get("shared_image_gallery"), ()):
        beside = [name for name in _ID_PARTS if gallery.data.get(name)] if gallery.data.get("id") else []
        for name in beside:
            yield f"shared_image_gallery.{name}", "the 'id' says this already; one of both is possible"
