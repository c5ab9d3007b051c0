"""From unmanaged disks to managed ones: a machine's VHDs are copied and stay where they are. Source: Azure OpenAPI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.disks.creation import GIBIBYTE
from verified_images.emulator.compute.disks.frozen_files import Part, files_of, new_disk_path, take_content
from verified_images.emulator.compute.disks.unmanaged_disks import is_unmanaged
from verified_images.emulator.compute.machines.disks import describe_disk, disk_id, disks_of, set_disk_owner
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.compute.machines.operations import begin
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

    Finder = Callable[[Cloud, ResourceId], Resource]


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the route of the call under ``item``; ``find`` gives the machine of an id."""

    def convert(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if not is_unmanaged(machine.properties["storageProfile"]["osDisk"]):
            raise _refused(f"VM '{machine.id.name}' is already using managed disks.")
        if power_of(cloud, machine) != "deallocated":
            raise _refused(
                f"VM '{machine.id.name}' must be deallocated before its disks are converted to managed disks."
            )
        return begin(cloud, request, machine, "convertToManagedDisks", _convert)

    yield Route("POST", item + "/convertToManagedDisks", convert)


def _refused(message: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", message)


def _convert(cloud: Cloud, machine: Resource) -> None:
    for number, disk in enumerate(list(disks_of(machine))):
        vhd = ResourceId.parse(disk_id(disk))
        set_disk_owner(cloud, str(vhd), None, "Unattached")
        made = describe_disk(machine, disk)
        made.hidden["path"] = str(new_disk_path(cloud))
        cloud.store.put(made)
        take_content(cloud, Part(vhd), made.id)
        with cloud.store.changing(made.id) as found:
            if found:
                size = disk["diskSizeGB"] * GIBIBYTE
                base = Path(files_of(found)[0])
                cloud.hypervisor.create_disk(Path(found.hidden["path"]), base=base, size_bytes=size)
        with cloud.store.changing(machine.id) as stored:
            if stored:
                kept = list(disks_of(stored))[number]
                del kept["vhd"]
                kept["managedDisk"]["id"] = str(made.id)
