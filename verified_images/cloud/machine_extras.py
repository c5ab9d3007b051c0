"""What few machines have: a spot price, managed identities, data disks, and other wishes about their hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.cloud.operations import Body


@dataclass(frozen=True, slots=True)
class DataDisk:
    """An empty disk beside the OS disk: its name, size in GiB, and LUN."""

    name: str
    size_gb: int
    lun: int


@dataclass(frozen=True, slots=True)
class MachineExtras:
    """What a machine has beside the usual; None leaves it to Azure.

    ``spot_eviction_policy`` makes it a spot machine; ``identities`` and ``disk_encryption_set`` are ARM ids;
    ``security_encryption_type`` is what is encrypted of a confidential machine; with ``keeps_os_disk`` its OS disk does
    not go with it.
    """

    license_type: str | None = None
    spot_eviction_policy: str | None = None
    spot_max_price: float | None = None
    identities: tuple[str, ...] = ()
    caching: str = "ReadWrite"
    data_disks: tuple[DataDisk, ...] = ()
    disk_controller_type: str | None = None
    disk_encryption_set: str | None = None
    secure_boot: bool | None = None
    vtpm: bool | None = None
    encryption_at_host: bool | None = None
    security_encryption_type: str | None = None
    keeps_os_disk: bool = False


def add_extras(body: Body, extras: MachineExtras, storage_account_type: str) -> None:
    """Put the extras into the body of the request that makes a machine."""
    properties = body["properties"]
    if extras.license_type:
        properties["licenseType"] = extras.license_type
    if extras.spot_eviction_policy:
        properties |= {"priority": "Spot", "evictionPolicy": extras.spot_eviction_policy}
        # -1 is Azure's own way to say that any price will do.
        price = -1 if extras.spot_max_price is None else extras.spot_max_price
        properties["billingProfile"] = {"maxPrice": price}
    if extras.identities:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {each: {} for each in extras.identities}}
    _add_to_disks(properties["storageProfile"], extras, storage_account_type)
    _add_to_security(properties, extras)


def encrypted_disk(security_encryption_type: str | None, disk_encryption_set: str | None) -> Body:
    """Return what the ``managedDisk`` of an OS disk says of its encryption."""
    key = {"diskEncryptionSet": {"id": disk_encryption_set}} if disk_encryption_set else {}
    if security_encryption_type is None:
        return key
    # With the guest's state alone encrypted, the platform holds the key of that (Azure: "Confidential VM options").
    own = key if security_encryption_type == "DiskWithVMGuestState" else {}
    rest = {} if own else key
    return {"securityProfile": {"securityEncryptionType": security_encryption_type, **own}, **rest}


def _add_to_disks(storage: Body, extras: MachineExtras, storage_account_type: str) -> None:
    storage["osDisk"]["caching"] = extras.caching
    if extras.keeps_os_disk:
        storage["osDisk"]["deleteOption"] = "Detach"
    key = {"diskEncryptionSet": {"id": extras.disk_encryption_set}} if extras.disk_encryption_set else {}
    storage["osDisk"]["managedDisk"] |= encrypted_disk(extras.security_encryption_type, extras.disk_encryption_set)
    if extras.disk_controller_type:
        storage["diskControllerType"] = extras.disk_controller_type
    if extras.data_disks:
        storage["dataDisks"] = [
            {
                "name": disk.name,
                "lun": disk.lun,
                "diskSizeGB": disk.size_gb,
                "createOption": "Empty",
                "caching": extras.caching,
                "deleteOption": "Delete",
                "managedDisk": {"storageAccountType": storage_account_type, **key},
            }
            for disk in extras.data_disks
        ]


def _add_to_security(properties: Body, extras: MachineExtras) -> None:
    firmware = {"secureBootEnabled": extras.secure_boot, "vTpmEnabled": extras.vtpm}
    wanted = {name: value for name, value in firmware.items() if value is not None}
    if not wanted and extras.encryption_at_host is None:
        return
    profile = properties.setdefault("securityProfile", {})
    if wanted:
        profile["uefiSettings"] = profile.get("uefiSettings", {}) | wanted
    if extras.encryption_at_host is not None:
        profile["encryptionAtHost"] = extras.encryption_at_host
