"""Security types of machines: Standard, Trusted Launch, Confidential. Source: recordings; Azure, "Trusted Launch"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter

if TYPE_CHECKING:
    from verified_images.emulator.compute.images.source_images import SourceImage
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.store import Resource

_TYPES = {"standard": "Standard", "trustedlaunch": "TrustedLaunch", "confidentialvm": "ConfidentialVM"}
_ENCRYPTIONS = {"VMGuestStateOnly", "DiskWithVMGuestState", "NonPersistedTPM"}


def security_type(properties: dict[str, Any]) -> str:
    """Give the security type that a machine's properties ask for; empty when they say nothing.

    Raises:
        ArmError: 400 InvalidParameter: there is no such type.
    """
    given = (properties.get("securityProfile") or {}).get("securityType")
    if given is None:
        return ""
    if str(given).lower() not in _TYPES:
        raise invalid_parameter(
            "securityProfile.securityType",
            f"The value '{given}' of parameter 'securityType' is invalid.",
        )
    return _TYPES[str(given).lower()]


def check_security(properties: dict[str, Any], reference: dict[str, Any], source: SourceImage) -> None:
    """Refuse a security type that the image cannot have, or none where the image asks for one.

    Raises:
        ArmError: 400 BadRequest.
    """
    wanted = security_type(properties)
    identifier = str(reference.get("id", "")).lower()
    managed = "/images/" in identifier and "/galleries/" not in identifier
    if wanted in {"TrustedLaunch", "ConfidentialVM"}:
        if managed:
            raise ArmError(
                400,
                "BadRequest",
                f"Managed Images are not supported for virtual machines with security type {wanted}.",
            )
        if source.generation != "V2":
            raise _unsupported(wanted)
    _check_features(wanted, source.security_type)


def _check_features(wanted: str, offered: str) -> None:
    feature = offered.lower()
    if feature in {"trustedlaunch", "confidentialvm"} and wanted.lower() != feature:
        raise ArmError(
            400,
            "BadRequest",
            "The provided gallery image only supports creation of VMs and VM Scale Sets with "
            f"'{_TYPES[feature]}' security type.",
        )
    if wanted == "ConfidentialVM" and "confidentialvm" not in feature:
        raise _unsupported(wanted)


def _unsupported(wanted: str) -> ArmError:
    advice = {
        "TrustedLaunch": "Please select Trusted Launch Supported Gen2 OS Image. For more information, see "
        "https://aka.ms/TrustedLaunch-FAQ.",
        "ConfidentialVM": "Please select Confidential VM Supported Gen2 OS Image.",
    }[wanted]
    return ArmError(400, "BadRequest", f"Use of {wanted} setting is not supported for the provided image. {advice}")


def fill_security(machine: Resource, size: Size) -> None:
    """Check a new machine's securityProfile against its size and disk, and spell its type as the platform does.

    Raises:
        ArmError: 400.
    """
    profile = machine.properties.get("securityProfile")
    if not profile:
        return
    wanted = security_type(machine.properties)
    if profile.get("uefiSettings") and wanted in {"", "Standard"}:
        raise invalid_parameter(
            "securityProfile.uefiSettings",
            "Parameter 'securityProfile.uefiSettings' is allowed only with a securityType of TrustedLaunch or "
            "ConfidentialVM.",
        )
    if (wanted == "TrustedLaunch" and not size.trusted_launch) or (wanted == "ConfidentialVM") != size.confidential:
        kind = wanted if wanted == "TrustedLaunch" or not size.confidential else (wanted or "Standard")
        raise ArmError(
            400,
            "BadRequest",
            f"The VM size '{size.name}' is not supported for creation of VMs and Virtual Machine Scale Set with "
            f"'{kind}' security type.",
        )
    if wanted == "ConfidentialVM":
        _check_confidential(profile, machine.properties["storageProfile"]["osDisk"])
    if wanted:
        profile["securityType"] = wanted


def _check_confidential(profile: dict[str, Any], disk: dict[str, Any]) -> None:
    encryption = ((disk.get("managedDisk") or {}).get("securityProfile") or {}).get("securityEncryptionType")
    if encryption not in _ENCRYPTIONS:
        raise ArmError(
            400,
            "BadRequest",
            "The parameter 'securityProfile.securityEncryptionType' of the OS disk is required for a VM with security "
            f"type ConfidentialVM and can be one of {', '.join(sorted(_ENCRYPTIONS))}.",
        )
    if (profile.get("uefiSettings") or {}).get("vTpmEnabled") is not True:
        raise ArmError(400, "BadRequest", "'vTpmEnabled' must be true for a VM with security type ConfidentialVM.")
