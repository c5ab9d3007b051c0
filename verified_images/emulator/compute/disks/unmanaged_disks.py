"""Unmanaged disks: VHDs in storage accounts, which machines and images name by URL.

Inside, such a disk is a resource under its account that is made, frozen and attached as a managed one is; models name
it in ``managedDisk`` beside their ``vhd``, and the wire never shows that. Source: recorded exchanges, and the list of
common error codes of virtual machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.storage.blob_names import blob_id, parse_url
from verified_images.emulator.storage.storage_accounts import find_account
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId

_GIBIBYTE = 1024**3


def is_unmanaged(disk: dict[str, Any]) -> bool:
    """Tell whether a disk of a machine's model is a VHD."""
    return bool(disk.get("vhd"))


def find_vhd(cloud: Cloud, uri: str, location: str) -> ResourceId:
    """Give the id that the disk at a URL has, or would have.

    Raises:
        ArmError: 400: it is not the URL of a blob; 409: there is no such storage account in the location.
    """
    name = None if "?" in uri else parse_url(uri)
    if name is None or not name.blob:
        raise invalid_parameter("vhd.uri", f"The value '{uri}' of parameter 'vhd.uri' is not the URI of a blob.")
    account = find_account(cloud, name.account)
    if account is None or account.location != location:
        raise ArmError(
            409,
            "StorageAccountNotFound",
            f"Storage account {name.account} not found. Ensure storage account is not deleted and belongs to the "
            "same Azure location as the VM.",
        )
    return blob_id(account.id, name.container, name.blob)


def with_vhd(cloud: Cloud, machine: Resource, disk: dict[str, Any]) -> dict[str, Any]:
    """Give a disk of a new model with what is behind its VHD, having checked that.

    Raises:
        ArmError: 400: it has no name, or is managed too; 409: the VHD is another disk's, or is missing.
    """
    uri = (disk.get("vhd") or {}).get("uri")
    if not uri:
        raise missing_parameter("vhd.uri")
    if not disk.get("name"):
        raise missing_parameter("disk.name")
    identifier = find_vhd(cloud, uri, machine.location)
    found = cloud.store.find(identifier)
    managed = {"storageAccountType": _account_type(cloud, uri)}
    if str(disk.get("createOption", "")).lower() != "attach":
        if found:
            raise ArmError(
                409,
                "DiskBlobAlreadyInUseByAnotherDisk" if found.body.get("managedBy") else "DiskBlobAlreadyExists",
                f"Blob {uri} is already in use by another disk"
                + (f" belonging to VM '{found.body['managedBy']}'." if found.body.get("managedBy") else "."),
            )
        return {**disk, "managedDisk": managed}
    if found is None:
        raise ArmError(409, "DiskBlobNotFound", f"Unable to find VHD blob with URI {uri} for disk '{disk['name']}'.")
    return {**disk, "managedDisk": {**managed, "id": str(found.id)}}


def check_not_mixed(disks: list[dict[str, Any]]) -> None:
    """Refuse a machine that has managed disks and others.

    Raises:
        ArmError: 409: it has both.
    """
    if any(map(is_unmanaged, disks)) and not all(map(is_unmanaged, disks)):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Addition of a managed disk to a VM with blob based disks is not supported."
            if is_unmanaged(disks[0])
            else "Addition of a blob based disk to VM with managed disks is not supported.",
            target="dataDisk",
        )


def describe_vhd(cloud: Cloud, machine: Resource, disk: dict[str, Any]) -> Resource:
    """Give a new VHD of a machine, which is not in the store yet."""
    identifier = find_vhd(cloud, disk["vhd"]["uri"], machine.location)
    size = disk["diskSizeGB"]
    return Resource(
        identifier,
        {
            "name": identifier.name,
            "id": str(identifier),
            "type": identifier.type,
            "managedBy": str(machine.id),
            "sku": {"name": disk["managedDisk"]["storageAccountType"]},
            "properties": {
                "creationData": {"createOption": disk["createOption"], "imageReference": {}},
                "diskSizeGB": size,
                "diskSizeBytes": size * _GIBIBYTE,
                "diskState": "Attached",
                "provisioningState": "Succeeded",
            },
        },
        {"made": True, "source": "", "uri": disk["vhd"]["uri"]},
    )


def as_image_disk(disk: dict[str, Any]) -> dict[str, Any]:
    """Give how an image describes a machine's VHD that it is made of."""
    return {
        "diskSizeGB": disk["diskSizeGB"],
        "blobUri": disk["vhd"]["uri"],
        "caching": disk.get("caching", "None"),
        "storageAccountType": "Standard_LRS",
    }


def shown(disk: dict[str, Any]) -> dict[str, Any]:
    """Give a disk of a model as the wire shows it."""
    return {key: value for key, value in disk.items() if key != "managedDisk"} if is_unmanaged(disk) else disk


def _account_type(cloud: Cloud, uri: str) -> str:
    name = parse_url(uri)
    account = find_account(cloud, name.account) if name else None
    return str(account.body["sku"]["name"]) if account else "Standard_LRS"
