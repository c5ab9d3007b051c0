"""Managed images. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.creation import GIBIBYTE, existing_resource
from verified_images.emulator.compute.disks.frozen_files import Part, import_vhd, release
from verified_images.emulator.compute.disks.unmanaged_disks import as_image_disk, is_unmanaged
from verified_images.emulator.compute.images.parts import note_parts, parts_of_machine, take_parts
from verified_images.emulator.compute.shown_since import IMAGES, as_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.store import Resource
from verified_images.emulator.vhd import VhdError, read_size_of_file

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/images"
_FIRST_WITH_GENERATION = "2019-03-01"
_STORAGE_TYPES = ("Standard_LRS", "Premium_LRS", "StandardSSD_LRS", "Standard_ZRS", "Premium_ZRS", "StandardSSD_ZRS")


class Images(Kind):
    """Microsoft.Compute/images."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, retry_delete=10)
    noun: ClassVar[str] = "Image"
    tags_at_once: ClassVar[bool] = False
    api_versions: ClassVar[tuple[str, ...]] = api_versions.IMAGES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check that the source is generalized and fits, and describe what is in the image."""
        properties = dict(body.get("properties") or {})
        if existing:
            return _updated(existing, body, properties)
        if not properties.get("hyperVGeneration") and request.api_version >= _FIRST_WITH_GENERATION:
            raise missing_parameter("hyperVGeneration")
        properties.setdefault("hyperVGeneration", "V1")
        image = Resource(request.id, {**body, "properties": properties}, {"generation": properties["hyperVGeneration"]})
        if properties.get("sourceVirtualMachine"):
            _describe_machine(cloud, image)
        else:
            _describe_disks(cloud, request, image)
        return image

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the image as the request's api-version shows it."""
        del cloud
        return as_of(resource.body, request.api_version, IMAGES)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the source disks."""
        if resource.hidden.get("ready"):
            return
        if blob := resource.hidden.get("blob"):
            import_vhd(cloud, Path(blob), resource.id)
        sizes = take_parts(cloud, resource)
        with cloud.store.changing(resource.id) as found:
            if found:
                profile = found.properties["storageProfile"]
                if blob:
                    found.hidden["size_gb"] = profile["osDisk"]["diskSizeGB"]
                else:
                    profile["osDisk"]["diskSizeGB"] = max(sizes[None], profile["osDisk"].get("diskSizeGB") or 0)
                for disk in profile["dataDisks"]:
                    disk["diskSizeGB"] = max(sizes[disk["lun"]], disk.get("diskSizeGB") or 0)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while machines are being made from the image."""
        machines = [
            machine.id.name
            for machine in cloud.store.referrers(resource.id)
            if machine.id.types[-1] == "virtualMachines" and machine.state == "Creating"
        ]
        if machines:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'Image Delete' is not allowed since the Virtual Machines '{','.join(machines)}' are being "
                f"provisioned using the Image '{resource.id.name}'.",
            )

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the image's files unless something else stands on them."""
        release(cloud, resource)


def _describe_machine(cloud: Cloud, image: Resource) -> None:
    given = image.properties.get("storageProfile") or {}
    if given.get("osDisk") or given.get("dataDisks"):
        raise invalid_parameter(
            "storageProfile", "Parameters 'sourceVirtualMachine' and 'storageProfile' disks are mutually exclusive."
        )
    machine = _generalized_machine(cloud, image)
    profile = machine.properties["storageProfile"]
    os_disk = existing_resource(cloud, profile["osDisk"]["managedDisk"]["id"])
    _check_generation(image, os_disk)
    data_disks = [
        {
            "lun": disk["lun"],
            **_image_disk(cloud, disk),
        }
        for disk in profile.get("dataDisks") or []
    ]
    image.properties["storageProfile"] = {
        "osDisk": {
            "osType": profile["osDisk"].get("osType", "Linux"),
            "osState": "Generalized",
            **_image_disk(cloud, profile["osDisk"]),
        },
        "dataDisks": data_disks,
        **({"zoneResilient": given["zoneResilient"]} if "zoneResilient" in given else {}),
    }
    image.hidden["parts"] = note_parts(parts_of_machine(machine))


def _image_disk(cloud: Cloud, disk: dict[str, Any]) -> dict[str, Any]:
    """Give how an image describes a machine's disk that it is made of."""
    if is_unmanaged(disk):
        return as_image_disk(disk)
    identifier = disk["managedDisk"]["id"]
    return {
        "managedDisk": {"id": identifier},
        "caching": disk.get("caching", "None"),
        "storageAccountType": _storage_type(cloud, identifier),
    }


def _generalized_machine(cloud: Cloud, image: Resource) -> Resource:
    identifier = image.properties["sourceVirtualMachine"].get("id")
    if not identifier:
        raise missing_parameter("sourceVirtualMachine.id")
    machine = cloud.store.find(identifier)
    if machine is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The resource '{identifier}' that the image is to be made from was not found.",
            target="sourceVirtualMachine",
        )
    if machine.location != image.location:
        raise invalid_parameter("sourceVirtualMachine", "The source virtual machine is in another location.")
    if (machine.properties.get("securityProfile") or {}).get("securityType") in {"TrustedLaunch", "ConfidentialVM"}:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The operation 'Create Image' is not supported for the Virtual Machine '{machine.id.name}' with security "
            f"type '{machine.properties['securityProfile']['securityType']}'. Use a gallery image version.",
        )
    if machine.hidden.get("os_state") != "Generalized":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The operation 'Create Image' requires the Virtual Machine '{machine.id.name}' to be Generalized.",
        )
    return machine


def _storage_type(cloud: Cloud, disk: str) -> str:
    found = cloud.store.find(disk)
    return str(((found.body if found else {}).get("sku") or {}).get("name", "Standard_LRS"))


def _describe_disks(cloud: Cloud, request: Request, image: Resource) -> None:
    """Describe an image of disks, snapshots or a blob that the body names."""
    profile = dict(image.properties.get("storageProfile") or {})
    given = profile.get("osDisk")
    if not given:
        raise missing_parameter("sourceVirtualMachine")
    for key in ("osType", "osState"):
        if not given.get(key):
            raise missing_parameter(f"osDisk.{key}")
    if given["osState"] not in {"Generalized", "Specialized"}:
        raise invalid_parameter("osDisk.osState", f"The value '{given['osState']}' of 'osDisk.osState' is not valid.")
    parts = []
    if given.get("blobUri"):
        described = _describe_blob(cloud, request, image, given)
    else:
        described, part = _describe_disk(cloud, image, given, "osDisk")
        _check_generation(image, existing_resource(cloud, str(part.source)))
        parts.append(part)
    data_disks = []
    for disk in profile.get("dataDisks") or []:
        if disk.get("lun") is None:
            raise missing_parameter("dataDisk.lun")
        data_disk, part = _describe_disk(cloud, image, disk, "dataDisk")
        data_disks.append({"caching": "None", **data_disk})
        parts.append(Part(part.source, lun=disk["lun"]))
    if len({disk["lun"] for disk in data_disks}) != len(data_disks):
        raise invalid_parameter("dataDisks", "Two data disks of an image cannot have the same LUN.")
    image.properties["storageProfile"] = {
        "osDisk": {"caching": "None", **described},
        "dataDisks": data_disks,
        **({"zoneResilient": profile["zoneResilient"]} if "zoneResilient" in profile else {}),
    }
    image.hidden["parts"] = note_parts(parts)


def _describe_disk(cloud: Cloud, image: Resource, given: dict[str, Any], what: str) -> tuple[dict[str, Any], Part]:
    sources = [key for key in ("managedDisk", "snapshot", "blobUri") if given.get(key)]
    if len(sources) != 1 or "blobUri" in sources:
        raise invalid_parameter(
            what, f"An image's {what} is made of exactly one of 'managedDisk' and 'snapshot', or a virtual machine."
        )
    if not given[sources[0]].get("id"):
        raise missing_parameter(f"{what}.{sources[0]}.id")
    source = existing_resource(cloud, given[sources[0]]["id"])
    wanted = {"managedDisk": "disks", "snapshot": "snapshots"}[sources[0]]
    if source.id.types[-1].lower() != wanted:
        raise invalid_parameter(f"{what}.{sources[0]}.id", f"The resource '{source.id}' is not one of the {wanted}.")
    if source.location != image.location:
        raise invalid_parameter(f"{what}.{sources[0]}.id", f"The source '{source.id}' is in another location.")
    if source.properties.get("diskState") in {"ReadyToUpload", "ActiveUpload"}:
        raise ArmError(409, "OperationNotAllowed", f"The content of disk '{source.id.name}' has not been uploaded.")
    account_type = given.get("storageAccountType") or (source.body.get("sku") or {}).get("name", "Standard_LRS")
    return {**given, "storageAccountType": _checked(account_type, what)}, Part(source.id)


def _describe_blob(cloud: Cloud, request: Request, image: Resource, given: dict[str, Any]) -> dict[str, Any]:
    file = disk_access.find_blob(cloud, request, given["blobUri"])
    try:
        size = -(-read_size_of_file(file) // GIBIBYTE)
    except VhdError as error:
        raise ArmError(400, "InvalidVhd", str(error), target="osDisk.blobUri") from error
    image.hidden["blob"] = str(file)
    return {
        **given,
        "diskSizeGB": max(size, given.get("diskSizeGB") or 0),
        "blobUri": given["blobUri"].partition("?")[0],
        "storageAccountType": _checked(given.get("storageAccountType") or "Standard_LRS", "osDisk"),
    }


def _checked(account_type: str, what: str) -> str:
    if account_type not in _STORAGE_TYPES:
        raise invalid_parameter(
            f"{what}.storageAccountType", f"The value '{account_type}' of 'storageAccountType' is not valid."
        )
    return account_type


def _check_generation(image: Resource, disk: Resource) -> None:
    wanted, actual = image.properties["hyperVGeneration"], disk.properties.get("hyperVGeneration", "V1")
    if wanted != actual:
        raise invalid_parameter(
            "hyperVGeneration",
            f"The HyperVGeneration '{wanted}' of the image does not match that of its source disk, '{actual}'.",
        )


def _updated(existing: Resource, body: dict[str, Any], properties: dict[str, Any]) -> Resource:
    source = (properties.get("sourceVirtualMachine") or {}).get("id")
    before = (existing.properties.get("sourceVirtualMachine") or {}).get("id")
    if source and (before or "").lower() != source.lower():
        raise _unchangeable("sourceVirtualMachine.id")
    if properties.get("hyperVGeneration", existing.hidden["generation"]) != existing.hidden["generation"]:
        raise _unchangeable("hyperVGeneration")
    return Resource(existing.id, {**body, "properties": existing.properties}, existing.hidden)


def _unchangeable(path: str) -> ArmError:
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{path}' is not allowed.", target=path)
