"""Managed images. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.disks import cloud_disk
from verified_images.emulator.compute.frozen_files import release, take_content
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/images"


class Images(Kind):
    """Microsoft.Compute/images."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, retry_delete=10)
    noun: ClassVar[str] = "Image"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check that the source is generalized and fits, and describe what is in the image."""
        properties = dict(body.get("properties") or {})
        if existing:
            return _updated(existing, body, properties)
        generation = properties.get("hyperVGeneration")
        if not generation:
            raise missing_parameter("hyperVGeneration")
        if properties.get("sourceVirtualMachine"):
            disk = _disk_of_machine(cloud, properties["sourceVirtualMachine"]["id"], body["location"])
        else:
            disk = _given_disk(cloud, properties)
        if disk.properties.get("hyperVGeneration", "V1") != generation:
            raise invalid_parameter(
                "hyperVGeneration",
                f"The HyperVGeneration '{generation}' of the image does not match that of its source disk, "
                f"'{disk.properties.get('hyperVGeneration', 'V1')}'.",
            )
        properties["storageProfile"] = _storage_profile(disk, properties.get("storageProfile") or {})
        hidden = {"disk": str(disk.id), "generation": generation, "size_gb": disk.properties["diskSizeGB"]}
        return Resource(request.id, {**body, "properties": properties}, hidden)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Freeze the source disk."""
        if resource.hidden.get("ready"):
            return
        size = take_content(cloud, ResourceId.parse(resource.hidden["disk"]), resource.id)
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden["ready"] = True
                found.properties["storageProfile"]["osDisk"]["diskSizeGB"] = size

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
        """Delete the image's file unless something else stands on it."""
        release(cloud, resource)


def os_disk_of_machine(cloud: Cloud, machine: Resource) -> Resource:
    """Give the resource of a virtual machine's OS disk."""
    return cloud_disk(cloud, machine.properties["storageProfile"]["osDisk"]["managedDisk"]["id"])


def _disk_of_machine(cloud: Cloud, identifier: str, location: str) -> Resource:
    machine = cloud.store.find(identifier)
    if machine is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The resource '{identifier}' that the image is to be made from was not found.",
            target="sourceVirtualMachine",
        )
    if machine.location != location:
        raise invalid_parameter("sourceVirtualMachine", "The source virtual machine is in another location.")
    if machine.hidden.get("os_state") != "Generalized":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The operation 'Create Image' requires the Virtual Machine '{machine.id.name}' to be Generalized.",
        )
    return os_disk_of_machine(cloud, machine)


def _given_disk(cloud: Cloud, properties: dict[str, Any]) -> Resource:
    given = (properties.get("storageProfile") or {}).get("osDisk")
    if not given:
        raise missing_parameter("sourceVirtualMachine")
    for key in ("osType", "osState"):
        if not given.get(key):
            raise missing_parameter(f"osDisk.{key}")
    reference = given.get("managedDisk") or given.get("snapshot")
    if not reference:
        raise invalid_parameter("osDisk", "An image is made here from a managed disk, a snapshot or a virtual machine.")
    return cloud_disk(cloud, reference["id"])


def _storage_profile(disk: Resource, given: dict[str, Any]) -> dict[str, Any]:
    os_disk = {
        "osType": "Linux",
        "osState": "Generalized",
        "managedDisk": {"id": str(disk.id)},
        "caching": "ReadWrite",
        "storageAccountType": (disk.body.get("sku") or {}).get("name", "Standard_LRS"),
        **(given.get("osDisk") or {}),
    }
    profile: dict[str, Any] = {"osDisk": os_disk, "dataDisks": given.get("dataDisks") or []}
    if "zoneResilient" in given:
        profile["zoneResilient"] = given["zoneResilient"]
    return profile


def _updated(existing: Resource, body: dict[str, Any], properties: dict[str, Any]) -> Resource:
    source = (properties.get("sourceVirtualMachine") or {}).get("id")
    before = (existing.properties.get("sourceVirtualMachine") or {}).get("id")
    if source and before and source.lower() != before.lower():
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'sourceVirtualMachine.id' is not allowed.",
            target="sourceVirtualMachine.id",
        )
    return Resource(existing.id, {**body, "properties": existing.properties}, existing.hidden)
