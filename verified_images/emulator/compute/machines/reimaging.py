"""Reimage of a machine: only one with an ephemeral OS disk gets a new one. Source: recorded refusals; Azure OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.disks.ephemeral_disks import is_ephemeral
from verified_images.emulator.compute.machines.disks import disk_id, provide_disks, remove_resource
from verified_images.emulator.compute.machines.guests import boot_guest, set_power
from verified_images.emulator.compute.machines.operations import begin
from verified_images.emulator.compute.machines.power import primary_interface
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

    Finder = Callable[[Cloud, ResourceId], Resource]


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the route of the call under ``item``; ``find`` gives the machine of an id."""
    yield Route("POST", item + "/reimage", _reimaging(find))


def _reimaging(find: Finder) -> Handler:
    def reimage(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if not is_ephemeral(machine):
            raise ArmError(
                409,
                "OperationNotAllowed",
                "The Reimage and OSUpgrade Virtual Machine actions require that the virtual machine has Automatic OS "
                "Upgrades enabled.",
            )
        return begin(cloud, request, machine, "reimage", _renew)

    return reimage


def _renew(cloud: Cloud, machine: Resource) -> None:
    set_power(cloud, machine, "stopping")
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=False)
    old = disk_id(machine.properties["storageProfile"]["osDisk"])
    with cloud.store.changing(machine.id) as found:
        if found:
            found.properties["storageProfile"]["osDisk"]["managedDisk"].pop("id", None)
    if disk := cloud.store.find(old):
        disk.body.pop("managedBy", None)
        cloud.store.put(disk)
        remove_resource(cloud, disk.id)
    machine = check_wanted(cloud, machine.id)
    provide_disks(cloud, machine)
    boot_guest(cloud, machine, nic=primary_interface(cloud, machine))
