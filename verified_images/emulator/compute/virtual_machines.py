"""Virtual machines. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute import (
    api_versions,
    boot_diagnostics,
    machine_model,
    power,
    run_command,
    scale_set_membership,
)
from verified_images.emulator.compute.guests import boot_guest, machine_size, set_power, wait_for_guest
from verified_images.emulator.compute.instance_view import instance_view
from verified_images.emulator.compute.machine_disks import let_go_of_disks, provide_disks, remove_resource
from verified_images.emulator.compute.machine_storage import fill_storage
from verified_images.emulator.compute.machine_updates import apply_update, updated_machine
from verified_images.emulator.compute.power import primary_interface
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
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
    noun: ClassVar[str] = "VM"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a machine's actions and views."""
        item = self.collection_pattern() + "/{name}"
        yield Route("GET", item + "/instanceView", self._get_instance_view)
        yield from power.routes(item, self.find)
        yield Route("POST", item + "/reimage", self._refuse_reimage)
        yield Route("POST", item + "/generalize", power.generalize(self.find))
        yield from run_command.routes(item, self.find)
        yield from boot_diagnostics.routes(item, self.find)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the model against image, size, quota and network cards, and fill in the defaults."""
        if existing:
            return updated_machine(cloud, existing, body)
        properties = dict(body.get("properties") or {})
        size_name = (properties.get("hardwareProfile") or {}).get("vmSize")
        if not size_name:
            raise missing_parameter("hardwareProfile.vmSize")
        size = find_size(size_name)
        secrets = machine_model.split_secrets(properties)
        check_quota(cloud, body["location"], size.name, 1)
        _check_interfaces(cloud, request, properties)
        machine = Resource(request.id, {**body, "properties": {"vmId": str(uuid.uuid4()), **properties}})
        machine.hidden = {"guest": machine.properties["vmId"], "secrets": secrets, "power": "starting"}
        fill_storage(cloud, machine, secrets)
        machine.properties["timeCreated"] = datetime.now(UTC).isoformat()
        scale_set_membership.check_membership(cloud, machine)
        return machine

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the machine's disks and boot its guest; an update changes what is there."""
        if resource.hidden.get("booted_size"):
            apply_update(cloud, resource)
            return
        scale_set_membership.join(cloud, resource)
        for nic in _interface_ids(resource):
            interfaces.attach(cloud, nic, str(resource.id))
        provide_disks(cloud, resource)
        if cloud.hypervisor.is_running(resource.hidden["guest"]):
            wait_for_guest(cloud, resource)
        else:
            boot_guest(cloud, resource, nic=primary_interface(cloud, resource))
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden["booted_size"] = machine_size(resource)

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Stop the guest, for which something may be waiting."""
        cloud.hypervisor.stop(resource.hidden["guest"], graceful=False)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Stop the guest, then let go of, or delete, disks and cards as their deleteOption says."""
        cloud.hypervisor.forget(resource.hidden["guest"])
        scale_set_membership.leave(cloud, resource)
        let_go_of_disks(cloud, resource)
        for nic in (resource.properties.get("networkProfile") or {}).get("networkInterfaces") or []:
            interfaces.detach(cloud, nic["id"])
            if (nic.get("properties") or {}).get("deleteOption") == "Delete":
                remove_resource(cloud, nic["id"])

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that the guest is gone: a restart of the local Azure is a power failure to its machines."""
        if resource.hidden.get("power") not in {"stopped", "deallocated"}:
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

    def _refuse_reimage(self, cloud: Cloud, request: Request) -> Answer:
        self.find(cloud, request.id)
        raise ArmError(
            409,
            "OperationNotAllowed",
            "The Reimage and OSUpgrade Virtual Machine actions require that the virtual machine has Automatic OS "
            "Upgrades enabled.",
        )

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
