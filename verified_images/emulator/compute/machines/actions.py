"""What else can be asked of a machine: eviction, maintenance, capture, reimage, sizes, disks. Source: recordings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.disks import conversion as disk_conversion
from verified_images.emulator.compute.guest_agent import patching
from verified_images.emulator.compute.machines import data_disks, reimaging
from verified_images.emulator.compute.machines.placement import is_spot
from verified_images.emulator.compute.machines.power import conclude, deallocate_machine
from verified_images.emulator.compute.skus import sizes_answer
from verified_images.emulator.lifecycle import check_wanted, set_state
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

    Finder = Callable[[Cloud, ResourceId], Resource]

# What the platform refuses to every machine that can exist here, in its words.
_REFUSED = {
    "performMaintenance": "Operation 'performMaintenance' is not allowed on VM '{name}' since the Subscription of this "
    "VM is not eligible.",
    "capture": "Capture operation is not allowed on VM '{name}' since it is using managed disks. Please create an "
    "image of the VM instead.",
}


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the routes of the actions under ``item``; ``find`` gives the machine of an id."""
    yield Route("GET", item + "/vmSizes", _listing_sizes(find))
    yield Route("POST", item + "/simulateEviction", _evicting(find))
    for action, text in _REFUSED.items():
        yield Route("POST", f"{item}/{action}", _refusing(text, find))
    yield from data_disks.routes(item, find)
    yield from disk_conversion.routes(item, find)
    yield from patching.routes(item, find)
    yield from reimaging.routes(item, find)


def _refusing(text: str, find: Finder) -> Handler:
    def refuse(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        raise ArmError(409, "OperationNotAllowed", text.format(name=machine.id.name))

    return refuse


def _listing_sizes(find: Finder) -> Handler:
    def list_sizes(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        return sizes_answer(machine.location, generation=machine.hidden.get("generation", ""))

    return list_sizes


def _evicting(find: Finder) -> Handler:
    def evict(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if not is_spot(machine.properties):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'simulateEviction' is not allowed on VM '{machine.id.name}' since it is not a Spot VM.",
            )
        threading.Thread(
            target=evict_machine, args=(cloud, machine), name=f"eviction {machine.id.name}", daemon=True
        ).start()
        return Answer(204)

    return evict


def evict_machine(cloud: Cloud, machine: Resource) -> None:
    """Take a Spot machine's hardware away: deallocate or delete it as its eviction policy says."""
    if machine.properties.get("evictionPolicy") == "Delete":
        if kind := cloud.kind_of(machine.id.type):
            kind.remove(cloud, machine)
        return
    with cloud.operations.turns.ask(machine.id.key):
        succeeded = False
        try:
            set_state(cloud, machine.id, "Updating")
            deallocate_machine(cloud, check_wanted(cloud, machine.id))
            succeeded = True
        except ArmError:
            return
        finally:
            conclude(cloud, machine.id, succeeded=succeeded)
