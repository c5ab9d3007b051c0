"""The storageProfile of a new machine: from image or disk, with the defaults that Azure fills in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.disks.ephemeral_disks import check_ephemeral
from verified_images.emulator.compute.disks.unmanaged_disks import check_not_mixed, is_unmanaged, with_vhd
from verified_images.emulator.compute.images.references import resolve_image
from verified_images.emulator.compute.machines import model as machine_model
from verified_images.emulator.compute.machines.disks import check_attachable, disk_id
from verified_images.emulator.compute.machines.security import check_security
from verified_images.emulator.compute.sizes import find_size

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.images.source_images import SourceDataDisk, SourceImage
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.store import Resource


def fill_storage(cloud: Cloud, machine: Resource, secrets: dict[str, str]) -> None:
    """Complete a new machine's storageProfile and osProfile, having checked them against image and size."""
    properties, name = machine.properties, machine.id.name
    size = find_size(properties["hardwareProfile"]["vmSize"])
    profile = dict(properties.get("storageProfile") or {})
    disk = machine_model.with_create_option(profile.get("osDisk") or {"createOption": "FromImage"})
    if is_unmanaged(disk):
        disk = with_vhd(cloud, machine, disk)
    if disk.get("createOption") == "Attach":
        profile["osDisk"] = _use_attached_disk(cloud, machine, disk)
    else:
        reference = profile.get("imageReference")
        if not reference:
            raise missing_parameter("imageReference")
        source = resolve_image(cloud, reference, machine.location)
        machine_model.check_os_profile(properties.get("osProfile"), secrets, source)
        check_security(properties, reference, source)
        if source.exact_version:
            profile["imageReference"] = {**reference, "exactVersion": source.exact_version}
        ephemeral = bool(disk.get("diffDiskSettings"))
        named = bool(disk.get("name"))
        if reference.get("id") and not named:
            disk["name"] = f"{name}_OsDisk_1_{uuid.uuid4().hex}"
        profile["osDisk"] = machine_model.fill_os_disk(disk, name, source, premium=size.premium and not ephemeral)
        if ephemeral:
            check_ephemeral(profile["osDisk"], size)
        if not named:
            machine.hidden["unnamed"] = [profile["osDisk"]["name"]]
        profile["dataDisks"] = with_image_disks(profile.get("dataDisks"), source)
        machine.hidden |= {"generation": source.generation, "os_state": "Specialized"}
    if given := properties.get("osProfile"):
        properties["osProfile"] = machine_model.fill_os_profile(given, name)
        machine_model.check_computer_name(properties["osProfile"]["computerName"])
    given_names = {disk.get("name") for disk in profile.get("dataDisks") or []}
    profile["dataDisks"] = fill_data_disks(cloud, machine, profile.get("dataDisks"), size)
    made_up = [disk["name"] for disk in profile["dataDisks"] if disk["name"] not in given_names]
    machine.hidden["unnamed"] = [*machine.hidden.get("unnamed", []), *made_up]
    check_not_mixed([profile["osDisk"], *profile["dataDisks"]])
    properties["storageProfile"] = _controller(machine.hidden["generation"]) | profile
    _check_generation(size, machine.hidden["generation"])


def _controller(generation: str) -> dict[str, str]:
    """Give how disks are connected, which is told of machines of the second generation only."""
    return {"diskControllerType": "SCSI"} if generation == "V2" else {}


def with_image_disks(given: list[dict[str, Any]] | None, source: SourceImage) -> list[dict[str, Any]]:
    """Give the data disks that a machine made from an image is to have: the image's, and those that it is given.

    Raises:
        ArmError: 400: a data disk is to be made from one that the image does not have.
    """
    of_image = {disk.lun: disk for disk in source.data_disks}
    disks = []
    for disk in map(machine_model.with_create_option, given or []):
        if disk.get("createOption") != "FromImage":
            disks.append(disk)
            continue
        own = of_image.pop(disk.get("lun", -1), None)
        if own is None:
            raise invalid_parameter(
                "dataDisk.createOption", f"The image has no data disk at LUN {disk.get('lun')} to make a disk from."
            )
        disks.append(_from_image(own, disk))
    taken = {disk.get("lun") for disk in disks}
    for lun, own in of_image.items():
        if lun not in taken:
            disks.append(_from_image(own, {"lun": lun, "createOption": "FromImage"}))
    return disks


def _from_image(own: SourceDataDisk, disk: dict[str, Any]) -> dict[str, Any]:
    managed = machine_model.with_encryption_set(disk.get("managedDisk") or {}, own.encryption_set)
    facts = {"caching": own.caching, "diskSizeGB": own.size_gb, **disk}
    return {**facts, "managedDisk": managed} if managed else facts


def fill_data_disks(
    cloud: Cloud, machine: Resource, given: list[dict[str, Any]] | None, size: Size
) -> list[dict[str, Any]]:
    """Complete the data disks of a machine, having checked those that are to be attached."""
    made = [
        with_vhd(cloud, machine, disk) if is_unmanaged(disk) and not disk_id(disk) else disk for disk in given or []
    ]
    disks = machine_model.fill_data_disks(made, machine.id.name, premium=size.premium)
    if len(disks) > size.max_data_disks:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The maximum number of data disks allowed to be attached to a VM of this size is {size.max_data_disks}.",
            target="dataDisks",
        )
    for disk in disks:
        if disk.get("createOption") == "Attach":
            if not disk_id(disk):
                raise missing_parameter("dataDisk.managedDisk.id")
            found = check_attachable(cloud, disk, machine.id)
            disk["name"] = disk["name"] if is_unmanaged(disk) else found.id.name
            disk.setdefault("diskSizeGB", found.properties["diskSizeGB"])
            disk["managedDisk"] = {"storageAccountType": found.body["sku"]["name"], "id": str(found.id)}
        elif not disk.get("diskSizeGB") and not disk_id(disk):
            raise missing_parameter("dataDisk.diskSizeGB")
    return disks


def _use_attached_disk(cloud: Cloud, machine: Resource, disk: dict[str, Any]) -> dict[str, Any]:
    if not disk_id(disk):
        raise missing_parameter("osDisk.managedDisk.id")
    if not disk.get("osType"):
        raise missing_parameter("osDisk.osType")
    if machine.properties.get("osProfile"):
        raise invalid_parameter("osProfile", "Parameter 'osProfile' is not allowed.")
    found = check_attachable(cloud, disk, machine.id)
    machine.hidden |= {"generation": found.properties.get("hyperVGeneration", "V1"), "os_state": "Specialized"}
    return {
        "caching": "ReadWrite",
        "deleteOption": "Detach",
        **disk,
        "name": disk["name"] if is_unmanaged(disk) else found.id.name,
        "managedDisk": {"storageAccountType": found.body["sku"]["name"], "id": str(found.id)},
        "diskSizeGB": found.properties["diskSizeGB"],
    }


def _check_generation(size: Size, generation: str) -> None:
    if generation not in size.generations:
        raise wrong_generation(size.name, generation)


def wrong_generation(size: str, generation: str) -> ArmError:
    """Make the 400 for a size that cannot boot an image's generation."""
    other = {"V1": "1", "V2": "2"}[generation]
    return ArmError(
        400,
        "BadRequest",
        f"The selected VM size '{size}' cannot boot Hypervisor Generation '{other}'. If this was a Create operation "
        "please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of the selected VM "
        "Size. If this was an Update operation please select a Hypervisor Generation '"
        f"{other}' VM Size. For more information, see https://aka.ms/azuregen2vm",
    )
