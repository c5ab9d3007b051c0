"""Virtual machines. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import boot_diagnostics, machine_model, power, run_command
from verified_images.emulator.compute.disks import cloud_disk, make_machine_disk, set_disk_owner
from verified_images.emulator.compute.guests import boot_guest, set_power
from verified_images.emulator.compute.image_references import resolve_image
from verified_images.emulator.compute.instance_view import instance_view
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.network import interfaces
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Compute/virtualMachines"


class VirtualMachines(Kind):
    """Microsoft.Compute/virtualMachines."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, etag="counter", retry_write=10, retry_delete=10)
    slow_write: ClassVar[bool] = True
    slow_delete: ClassVar[bool] = True

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a machine's actions and views."""
        item = self.collection_pattern() + "/{name}"
        yield Route("GET", item + "/instanceView", self._get_instance_view)
        yield from power.routes(item, self.find)
        yield from run_command.routes(item, self.find)
        yield from boot_diagnostics.routes(item, self.find)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the model against image, size, quota and network cards, and fill in the defaults."""
        properties = dict(body.get("properties") or {})
        if existing:
            return _updated(existing, body, properties)
        size_name = (properties.get("hardwareProfile") or {}).get("vmSize")
        if not size_name:
            raise missing_parameter("hardwareProfile.vmSize")
        size = find_size(size_name)
        secrets = machine_model.split_secrets(properties)
        check_quota(cloud, body["location"], size.name, 1)
        _check_interfaces(cloud, request, properties)
        machine = Resource(request.id, {**body, "properties": {"vmId": str(uuid.uuid4()), **properties}})
        machine.hidden = {"guest": machine.properties["vmId"], "secrets": secrets, "power": "starting"}
        _fill_storage(cloud, machine, secrets)
        generation = machine.hidden["generation"]
        if generation not in size.generations:
            raise wrong_generation(size.name, generation)
        machine.properties["timeCreated"] = datetime.now(UTC).isoformat()
        return machine

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the machine's disks and boot its guest; an update attaches and detaches data disks."""
        if resource.hidden.get("booted"):
            return
        for nic in _interface_ids(resource):
            interfaces.attach(cloud, nic, str(resource.id))
        _make_disks(cloud, resource)
        with cloud.store.lock:
            cloud.store.put(resource)
        _boot(cloud, resource)
        with cloud.store.lock:
            if found := cloud.store.find(resource.id):
                found.hidden["booted"] = True
                cloud.store.put(found)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Stop the guest, then let go of, or delete, disks and cards as their deleteOption says."""
        cloud.hypervisor.forget(resource.hidden["guest"])
        profile = resource.properties["storageProfile"]
        for disk in (profile["osDisk"], *(profile.get("dataDisks") or [])):
            identifier = (disk.get("managedDisk") or {}).get("id")
            if identifier:
                set_disk_owner(cloud, identifier, None, "Unattached")
                if disk.get("deleteOption") == "Delete":
                    _remove(cloud, identifier)
        for nic in (resource.properties.get("networkProfile") or {}).get("networkInterfaces") or []:
            interfaces.detach(cloud, nic["id"])
            if (nic.get("properties") or {}).get("deleteOption") == "Delete":
                _remove(cloud, nic["id"])

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that the guest is gone: a restart of the local Azure is a power failure to its machines."""
        if resource.hidden.get("power") == "running":
            set_power(cloud, resource, "stopped")

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the machine; with ``$expand=instanceView`` its state too."""
        body = resource.body
        if resource.hidden.get("power") == "deallocated":
            profile = body["properties"]["storageProfile"]
            disk = {key: value for key, value in profile["osDisk"].items() if key != "diskSizeGB"}
            managed = {key: value for key, value in disk["managedDisk"].items() if key != "storageAccountType"}
            profile = {**profile, "osDisk": {**disk, "managedDisk": managed}}
            body = {**body, "properties": {**body["properties"], "storageProfile": profile}}
        if request.query.get("$expand", "").lower() == "instanceview":
            view = instance_view(cloud, resource)
            body = {**body, "properties": {**body["properties"], "instanceView": view}}
        return body

    def _get_instance_view(self, cloud: Cloud, request: Request) -> Answer:
        return Answer(200, instance_view(cloud, self.find(cloud, request.id)))


def _interface_ids(machine: Resource) -> list[str]:
    cards = (machine.properties.get("networkProfile") or {}).get("networkInterfaces") or []
    return [card["id"] for card in cards]


def _check_interfaces(cloud: Cloud, request: Request, properties: dict[str, Any]) -> None:
    cards = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
    if not cards:
        raise missing_parameter("networkProfile")
    for card in cards:
        nic = cloud.store.find(card.get("id") or "")
        if nic is None:
            raise ArmError(
                400,
                "InvalidResourceReference",
                f"Resource {card.get('id')} referenced by resource {request.id} was not found. Please make sure that "
                "the referenced resource exists, and that both resources are in the same region.",
                details=[],
            )
        owner = nic.properties.get("virtualMachine")
        if owner and owner["id"].lower() != request.id.key:
            raise ArmError(
                400,
                "NicInUse",
                f"Network Interface {nic.id} is used by existing resource {owner['id']}. In order to delete the "
                "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
                details=[],
            )


def _fill_storage(cloud: Cloud, machine: Resource, secrets: dict[str, str]) -> None:
    properties, name = machine.properties, machine.id.name
    profile = dict(properties.get("storageProfile") or {})
    disk = dict(profile.get("osDisk") or {"createOption": "FromImage"})
    premium = find_size(properties["hardwareProfile"]["vmSize"]).premium
    if disk.get("createOption") == "Attach":
        _use_attached_disk(cloud, machine, disk)
    else:
        reference = profile.get("imageReference")
        if not reference:
            raise missing_parameter("imageReference")
        source = resolve_image(cloud, reference, machine.location)
        machine_model.check_os_profile(properties.get("osProfile"), secrets, source)
        if source.exact_version:
            profile["imageReference"] = {**reference, "exactVersion": source.exact_version}
        disk = machine_model.fill_os_disk(disk, name, source, premium=premium)
        machine.hidden |= {"generation": source.generation, "os_state": "Specialized"}
        machine.hidden["security_type"] = source.security_type
    if profile_of := properties.get("osProfile"):
        properties["osProfile"] = machine_model.fill_os_profile(profile_of, name)
        machine_model.check_computer_name(properties["osProfile"]["computerName"])
    profile["osDisk"] = disk
    profile["dataDisks"] = machine_model.fill_data_disks(profile.get("dataDisks"), name, premium=premium)
    properties["storageProfile"] = profile


def _use_attached_disk(cloud: Cloud, machine: Resource, disk: dict[str, Any]) -> None:
    identifier = (disk.get("managedDisk") or {}).get("id")
    if not identifier:
        raise missing_parameter("osDisk.managedDisk.id")
    if machine.properties.get("osProfile"):
        raise invalid_parameter("osProfile", "Parameter 'osProfile' is not allowed.")
    found = cloud_disk(cloud, identifier)
    if owner := found.body.get("managedBy"):
        raise ArmError(
            409,
            "ConflictingUserInput",
            f"Disk '{found.id.name}' cannot be attached as the disk is already owned by VM '{owner}'.",
        )
    disk.setdefault("name", found.id.name)
    machine.hidden |= {"generation": found.properties.get("hyperVGeneration", "V1"), "os_state": "Specialized"}


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


def _make_disks(cloud: Cloud, machine: Resource) -> None:
    profile = machine.properties["storageProfile"]
    disk = profile["osDisk"]
    if disk["createOption"] == "Attach":
        set_disk_owner(cloud, disk["managedDisk"]["id"], machine.id, "Attached")
    else:
        source = resolve_image(cloud, profile["imageReference"], machine.location)
        properties = {"osType": source.os_type, "hyperVGeneration": source.generation}
        _make_disk(cloud, machine, disk, base=True, properties=properties)
    for data_disk in profile["dataDisks"]:
        if data_disk.get("createOption") == "Attach":
            set_disk_owner(cloud, data_disk["managedDisk"]["id"], machine.id, "Attached")
        else:
            _make_disk(cloud, machine, data_disk, base=False, properties={})


def _make_disk(
    cloud: Cloud, machine: Resource, disk: dict[str, Any], *, base: bool, properties: dict[str, Any]
) -> None:
    reference = machine.properties["storageProfile"].get("imageReference") or {}
    group = machine.id.group_id
    identifier = ResourceId(group.subscription, group.group, "Microsoft.Compute", ("disks",), (disk["name"],))
    made = make_machine_disk(
        cloud,
        identifier,
        machine.location,
        owner=machine.id,
        base=resolve_image(cloud, reference, machine.location).open_disk() if base else None,
        size_gb=disk["diskSizeGB"],
        sku=disk["managedDisk"]["storageAccountType"],
        properties=properties,
        tags=machine.tags,
    )
    disk["managedDisk"]["id"] = str(made.id)


def _boot(cloud: Cloud, machine: Resource) -> None:
    set_power(cloud, machine, "running")
    nic = cloud.store.find(_interface_ids(machine)[0])
    if nic is None:
        raise ArmError(409, "OperationNotAllowed", f"The network interface of VM '{machine.id.name}' is gone.")
    boot_guest(cloud, machine, nic=nic)


def _remove(cloud: Cloud, identifier: str) -> None:
    resource = cloud.store.find(identifier)
    kind = cloud.kind_of(resource.id.type) if resource else None
    if resource and kind:
        kind.remove(cloud, resource)


def _updated(existing: Resource, body: dict[str, Any], properties: dict[str, Any]) -> Resource:
    """Take over what may change on a machine that exists; refuse what may not."""
    old = existing.properties
    machine_model.split_secrets(properties)
    for key in ("vmId", "storageProfile", "osProfile", "priority"):
        given = properties.get(key)
        if key == "priority" and given and given != old.get(key, "Regular"):
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{key}' is not allowed.", target=key)
        if key in old:
            properties[key] = old[key]
    if size := (properties.get("hardwareProfile") or {}).get("vmSize"):
        find_size(size)
    kept = {key: value for key, value in existing.body.items() if key in {"etag", "identity", "zones", "plan"}}
    merged = {**kept, **body, "properties": {**old, **properties}}
    return Resource(existing.id, merged, existing.hidden)
