"""The disks of a machine: made with it, attached to it, let go of or deleted with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, resource_not_found
from verified_images.emulator.compute.disks.access import check_usable
from verified_images.emulator.compute.disks.creation import GIBIBYTE
from verified_images.emulator.compute.disks.disks import TYPE, disk_defaults
from verified_images.emulator.compute.disks.frozen_files import grow, new_disk_path, release
from verified_images.emulator.compute.disks.unmanaged_disks import describe_vhd, is_unmanaged
from verified_images.emulator.compute.images.references import pinned, resolve_image
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.images.source_images import SourceImage


def disks_of(machine: Resource) -> Iterator[dict[str, Any]]:
    """Give the disks in a machine's model: the OS disk, then the data disks."""
    profile = machine.properties["storageProfile"]
    yield profile["osDisk"]
    yield from profile.get("dataDisks") or []


def disk_id(disk: dict[str, Any]) -> str:
    """Give the id of the managed disk behind a disk of a model; empty while it is not made."""
    return str((disk.get("managedDisk") or {}).get("id") or "")


def provide_disks(cloud: Cloud, machine: Resource) -> None:
    """Make those of a machine's disks that are not there yet, attach the others, and grow what is to be larger.

    The ids of the disks are written into ``machine`` and into the store.
    """
    for disk in disks_of(machine):
        found = cloud.store.find(disk_id(disk)) if disk_id(disk) else None
        if found is None:
            if disk["createOption"] == "Attach":
                raise resource_not_found(ResourceId.parse(disk_id(disk)))
            made = _make_disk(cloud, machine, disk)
            disk["managedDisk"] = {**disk["managedDisk"], "id": str(made.id)}
            _note_disk(cloud, machine.id, disk["name"], made)
        else:
            set_disk_owner(cloud, str(found.id), machine.id, "Attached")
            _grow(cloud, found, disk.get("diskSizeGB"))


def _note_disk(cloud: Cloud, machine: ResourceId, name: str, made: Resource) -> None:
    with cloud.store.changing(machine) as stored:
        for disk in disks_of(stored) if stored else ():
            if disk["name"] == name:
                disk["managedDisk"]["id"] = str(made.id)


def _make_disk(cloud: Cloud, machine: Resource, disk: dict[str, Any]) -> Resource:
    with cloud.store.lock:
        resource = describe_vhd(cloud, machine, disk) if is_unmanaged(disk) else describe_disk(machine, disk)
        base = None
        if disk["createOption"] == "FromImage":
            reference = pinned(cloud, machine.properties["storageProfile"]["imageReference"])
            source = resolve_image(cloud, reference, machine.location)
            base = _stand_on_image(resource, source, disk.get("lun"))
        resource.hidden["path"] = str(new_disk_path(cloud))
        cloud.store.put(resource)
    try:
        size = disk["diskSizeGB"] * GIBIBYTE
        cloud.hypervisor.create_disk(Path(resource.hidden["path"]), base=base() if base else None, size_bytes=size)
    except BaseException:
        release(cloud, resource)
        cloud.store.remove(resource.id)
        raise
    return resource


def _stand_on_image(resource: Resource, source: SourceImage, lun: int | None) -> Callable[[], Path]:
    """Let a new disk stand on an image's OS disk or data disk; the files are stored with it: the image may go then."""
    if lun is None:
        resource.body["properties"] |= {
            "osType": source.os_type,
            "hyperVGeneration": source.generation,
            "supportedCapabilities": {"architecture": source.architecture},
        }
        resource.hidden["files"] = list(source.files)
        return source.open_disk
    files = next((disk.files for disk in source.data_disks if disk.lun == lun), ())
    if not files:
        raise ArmError(
            400, "InvalidParameter", f"The image has no data disk at LUN {lun}.", target="dataDisk.createOption"
        )
    resource.properties["creationData"]["imageReference"]["lun"] = lun
    resource.hidden["files"] = list(files)
    return lambda: Path(files[0])


def _disk_path(name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    provider, kind = TYPE.split("/")
    return provider, (kind,), (name,)


def describe_disk(machine: Resource, disk: dict[str, Any]) -> Resource:
    """Give a new managed disk of a machine, which is not in the store yet."""
    identifier = ResourceId(machine.id.subscription, machine.id.group, *_disk_path(disk["name"]))
    sku = disk["managedDisk"]["storageAccountType"]
    creation: dict[str, Any] = {"createOption": disk["createOption"]}
    if disk["createOption"] == "FromImage":
        creation["imageReference"] = {"id": _image_id(machine)}
    properties = disk_defaults({"creationData": creation, "diskSizeGB": disk["diskSizeGB"]}, sku)
    if encryption_set := (disk["managedDisk"].get("diskEncryptionSet") or {}).get("id"):
        properties["encryption"] = {"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": encryption_set}
    properties["LastOwnershipUpdateTime"] = properties["timeCreated"]
    return Resource(
        identifier,
        {
            "name": identifier.name,
            "id": str(identifier),
            "type": TYPE,
            "location": machine.location,
            **({"tags": machine.tags} if "tags" in machine.body else {}),
            **({"zones": machine.body["zones"]} if machine.body.get("zones") else {}),
            "sku": {"name": sku, "tier": sku.partition("_")[0]},
            "managedBy": str(machine.id),
            "properties": {**properties, "diskState": "Attached", "provisioningState": "Succeeded"},
        },
        {"made": True, "source": ""},
    )


def _image_id(machine: Resource) -> str:
    """Give the id of a machine's image; a Marketplace image has one in the catalogue of its location."""
    reference = machine.properties["storageProfile"]["imageReference"]
    if given := reference.get("id"):
        return str(given)
    version = reference.get("exactVersion") or reference.get("version")
    return (
        f"/Subscriptions/{machine.id.subscription}/Providers/Microsoft.Compute/Locations/{machine.location}/Publishers/"
        f"{reference.get('publisher')}/ArtifactTypes/VMImage/Offers/{reference.get('offer')}/Skus/"
        f"{reference.get('sku')}/Versions/{version}"
    )


def _grow(cloud: Cloud, disk: Resource, size_gb: int | None) -> None:
    if size_gb and size_gb > disk.properties["diskSizeGB"]:
        grow(cloud, disk.id, size_gb * GIBIBYTE)
        with cloud.store.changing(disk.id) as found:
            if found:
                found.body["properties"] |= {"diskSizeGB": size_gb, "diskSizeBytes": size_gb * GIBIBYTE}


def plug_disks(cloud: Cloud, machine: Resource) -> None:
    """Let a guest that runs have the data disks of its machine's model."""
    for disk in machine.properties["storageProfile"].get("dataDisks") or []:
        if found := cloud.store.find(disk_id(disk)):
            cloud.hypervisor.attach_disk(machine.hidden["guest"], Path(found.hidden["path"]), int(disk["lun"]))


def unplug_disk(cloud: Cloud, machine: Resource, identifier: str) -> None:
    """Take a data disk from a guest that runs."""
    if found := cloud.store.find(identifier) if identifier else None:
        cloud.hypervisor.detach_disk(machine.hidden["guest"], Path(found.hidden["path"]))


def set_disk_owner(cloud: Cloud, identifier: str, owner: ResourceId | None, state: str) -> None:
    """Attach a disk to a machine or detach it; ``state`` is its diskState."""
    with cloud.store.changing(identifier) as disk:
        if disk:
            disk.body.pop("managedBy", None)
            if owner:
                disk.body["managedBy"] = str(owner)
            disk.properties["diskState"] = state
            disk.properties["LastOwnershipUpdateTime"] = datetime.now(UTC).isoformat()


def mark_disks(cloud: Cloud, machine: Resource, state: str) -> None:
    """Write the diskState of all of a machine's disks."""
    for disk in disks_of(machine):
        if disk_id(disk):
            set_disk_owner(cloud, disk_id(disk), machine.id, state)


def let_go_of_disks(cloud: Cloud, machine: Resource, *, delete: bool = False) -> None:
    """Detach all disks of a machine that goes away, and delete those whose deleteOption says so, or all."""
    for disk in disks_of(machine):
        if disk_id(disk):
            let_go_of_disk(cloud, machine, disk, delete=delete or disk.get("deleteOption") == "Delete")
    # One that was made for a model which never came to be, since its operation was cut short.
    for other in cloud.store.referrers(machine.id):
        if str(other.body.get("managedBy", "")).lower() == machine.id.key:
            set_disk_owner(cloud, str(other.id), None, "Unattached")


def let_go_of_disk(cloud: Cloud, machine: Resource, disk: dict[str, Any], *, delete: bool) -> None:
    """Detach a disk from the machine, if it still has it, and delete it when told so."""
    found = cloud.store.find(disk_id(disk))
    if found is None or str(found.body.get("managedBy", "")).lower() != machine.id.key:
        return
    set_disk_owner(cloud, str(found.id), None, "Unattached")
    if delete:
        remove_resource(cloud, found.id)


def remove_resource(cloud: Cloud, identifier: ResourceId | str) -> None:
    """Delete a resource along with another; one that is not there is no error."""
    resource = cloud.store.find(identifier)
    kind = cloud.kind_of(resource.id.type) if resource else None
    if resource and kind:
        kind.remove(cloud, resource)


def check_disks_usable(cloud: Cloud, machine: Resource) -> None:
    """Refuse to start a machine with a disk to which somebody has access.

    Raises:
        ArmError: 409: somebody has.
    """
    for disk in disks_of(machine):
        if found := cloud.store.find(disk_id(disk)) if disk_id(disk) else None:
            check_usable(cloud, found)


def check_attachable(cloud: Cloud, disk: dict[str, Any], machine: ResourceId) -> Resource:
    """Give the disk that is to be attached.

    Raises:
        ArmError: 404: there is none; 409: another machine has it.
    """
    found = cloud.store.find(disk_id(disk))
    if found is None:
        raise resource_not_found(ResourceId.parse(disk_id(disk)))
    check_usable(cloud, found)
    owner = found.body.get("managedBy")
    if owner and owner.lower() != machine.key:
        raise ArmError(
            409,
            "ConflictingUserInput",
            f"Disk '{found.id.name}' cannot be attached as the disk is already owned by VM '{owner}'.",
        )
    return found
