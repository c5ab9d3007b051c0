"""The body of a virtual machine: what Azure checks in it and fills in. Source: recorded answers."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter

if TYPE_CHECKING:
    from verified_images.emulator.compute.images.source_images import SourceImage

_LONGEST_LINUX_NAME = 64
_FORBIDDEN_NAMES = {"administrator", "admin", "root", "guest", "test", "user", "sys", "console", "backup", "support"}
_COMPUTER_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?")
_MOST_CUSTOM_DATA = 87380
_WINDOWS_DEFAULTS = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
_WINDOWS_PATCHING = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
_CREATE_OPTIONS = {option.lower(): option for option in ("FromImage", "Empty", "Attach", "Copy", "Restore")}
_SECRETS = ("adminPassword", "customData")


def split_secrets(properties: dict[str, Any]) -> dict[str, str]:
    """Take out of a machine's properties what Azure never gives back, and give it."""
    profile = properties.get("osProfile") or {}
    secrets = {key: profile.pop(key) for key in _SECRETS if profile.get(key)}
    if user_data := properties.pop("userData", None):
        secrets["userData"] = user_data
    for key in ("customData", "userData"):
        if key in secrets:
            _check_base64(key, secrets[key])
    return secrets


def _check_base64(name: str, text: Any) -> None:  # noqa: ANN401 - any JSON value may stand here
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9+/\s]*={0,2}", text):
        label = "Custom data" if name == "customData" else "User data"
        raise invalid_parameter(
            name,
            f"{label} in OSProfile must be in Base64 encoding and with a maximum length of {_MOST_CUSTOM_DATA} "
            "characters.",
        )
    if len(text) > _MOST_CUSTOM_DATA:
        raise invalid_parameter(name, f"{name} exceeds the maximum length of {_MOST_CUSTOM_DATA} characters.")


def check_os_profile(profile: dict[str, Any] | None, secrets: dict[str, str], source: SourceImage) -> None:
    """Refuse an osProfile that does not fit the image: a generalized one needs it, a specialized one forbids it."""
    if source.os_state == "Specialized":
        if profile:
            raise invalid_parameter(
                "osProfile", "Parameter 'osProfile' is not allowed for a VM created from a specialized image."
            )
        return
    if not profile:
        raise missing_parameter("osProfile")
    if not profile.get("adminUsername"):
        raise missing_parameter("adminUsername")
    if profile["adminUsername"].lower() in _FORBIDDEN_NAMES:
        raise invalid_parameter(
            "adminUsername",
            "The Admin Username specified is not allowed. For more information about disallowed usernames, see "
            "https://aka.ms/vmosprofile",
        )
    _check_login(profile, secrets)


def _check_login(profile: dict[str, Any], secrets: dict[str, str]) -> None:
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    for key in keys:
        _check_key(profile["adminUsername"], key)
    if linux.get("disablePasswordAuthentication") and not keys:
        raise missing_parameter("linuxConfiguration.ssh.publicKeys")
    if not linux.get("disablePasswordAuthentication") and not secrets.get("adminPassword"):
        raise invalid_parameter(
            "adminPassword",
            "Authentication using either SSH or by user name and password must be enabled in Linux profile.",
        )


def _check_key(username: str, key: dict[str, Any]) -> None:
    expected = f"/home/{username}/.ssh/authorized_keys"
    if key.get("path") != expected:
        raise invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.path",
            "Destination path for SSH public keys is currently limited to its default value "
            f"{expected} due to a known issue in Linux provisioning agent.",
        )
    if not re.match(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/=]{40,}", str(key.get("keyData", "")).strip()):
        raise invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.keyData",
            "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        )


def check_computer_name(name: str) -> None:
    """Refuse a host name that Azure does not allow on Linux."""
    if len(name) > _LONGEST_LINUX_NAME or not _COMPUTER_NAME.fullmatch(name):
        raise invalid_parameter(
            "computerName",
            "Linux host name cannot exceed 64 characters in length or contain the following characters: ` ~ ! @ # $ % "
            "^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?.",
        )


def fill_os_profile(profile: dict[str, Any], name: str) -> dict[str, Any]:
    """Give an osProfile with the defaults that Azure fills in."""
    filled = {"computerName": name, **profile}
    if "windowsConfiguration" in filled:
        windows = {**_WINDOWS_DEFAULTS, **(filled["windowsConfiguration"] or {})}
        windows["patchSettings"] = {**_WINDOWS_PATCHING, **(windows.get("patchSettings") or {})}
        filled["windowsConfiguration"] = windows
    else:
        linux = dict(filled.get("linuxConfiguration") or {"disablePasswordAuthentication": False})
        linux.setdefault("provisionVMAgent", True)
        linux.setdefault("patchSettings", {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"})
        linux["patchSettings"].setdefault("assessmentMode", "ImageDefault")
        filled["linuxConfiguration"] = linux
    filled.setdefault("secrets", [])
    filled.setdefault("allowExtensionOperations", True)
    filled.setdefault("requireGuestProvisionSignal", True)
    return filled


def fill_os_disk(disk: dict[str, Any], name: str, source: SourceImage, *, premium: bool) -> dict[str, Any]:
    """Give an osDisk made from an image with the defaults that Azure fills in."""
    size = disk.get("diskSizeGB") or source.size_gb
    if size < source.size_gb:
        raise ArmError(
            400,
            "ResizeDiskError",
            f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
            f"{source.size_gb} GB. This is not allowed. Please choose equal or greater size or do not specify an "
            "explicit size.",
            target="osDisk.diskSizeGB",
        )
    managed = with_encryption_set(disk.get("managedDisk") or {}, source.encryption_set)
    managed.setdefault("storageAccountType", "Premium_LRS" if premium else "Standard_LRS")
    return {
        **disk,
        "osType": source.os_type,
        "name": disk.get("name") or f"{name}_disk1_{uuid.uuid4().hex}",
        "createOption": "FromImage",
        "caching": disk.get("caching", "ReadWrite"),
        "managedDisk": managed,
        "deleteOption": disk.get("deleteOption", "Detach"),
        "diskSizeGB": size,
    }


def with_encryption_set(managed: dict[str, Any], encryption_set: str) -> dict[str, Any]:
    """Give the parameters of a managed disk made from an image, with the image's encryption set if they name none."""
    return {**({"diskEncryptionSet": {"id": encryption_set}} if encryption_set else {}), **managed}


def with_create_option(disk: dict[str, Any]) -> dict[str, Any]:
    """Give a disk with its createOption spelt as Azure spells it, in whatever case it was given."""
    given = str(disk.get("createOption") or "")
    return {**disk, "createOption": _CREATE_OPTIONS.get(given.lower(), given)} if given else disk


def fill_data_disks(disks: list[dict[str, Any]] | None, name: str, *, premium: bool) -> list[dict[str, Any]]:
    """Give dataDisks with the defaults that Azure fills in, refusing two on one LUN."""
    filled: list[dict[str, Any]] = []
    luns: set[int] = set()
    for disk in map(with_create_option, disks or []):
        lun = disk.get("lun")
        if lun is None:
            raise missing_parameter("dataDisk.lun")
        if lun in luns:
            raise ArmError(409, "OperationNotAllowed", f"Cannot attach two disks at the same LUN {lun}.")
        luns.add(lun)
        managed = dict(disk.get("managedDisk") or {})
        managed.setdefault("storageAccountType", "Premium_LRS" if premium else "Standard_LRS")
        filled.append(
            {
                "caching": "None",
                "deleteOption": "Detach",
                "toBeDetached": False,
                **disk,
                "name": disk.get("name") or f"{name}_disk{len(filled) + 2}_{uuid.uuid4().hex}",
                "managedDisk": managed,
            }
        )
    return filled
