"""What is done to a machine that exists: start, stop, deallocate, restart, redeploy, generalize.

The same for virtual machines and for the instances of a scale set. Source: recorded exchanges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.disks import set_disk_owner
from verified_images.emulator.compute.guests import boot_guest, power_of, set_power
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

    Finder = Callable[[Cloud, ResourceId], Resource]


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the routes of the power actions under ``item``; ``find`` gives the machine of an id."""
    for action, change in _CHANGES.items():
        yield Route("POST", f"{item}/{action}", _acting(action, change, find))
    yield Route("POST", f"{item}/generalize", _generalizing(find))


def _acting(action: str, change: Callable[[Cloud, Resource, Request], None], find: Finder) -> Handler:
    def act(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if action != "deallocate" and machine.hidden.get("os_state") == "Generalized":
            raise _generalized(action, machine)
        started = cloud.operations.start(
            request,
            f"{machine.id.type}/{action}/action",
            machine.location,
            lambda: change(cloud, machine, request),
            track=COMPUTE,
            slow=True,
        )
        headers = started.status_header | started.location_header
        if cloud.operations.is_running(started.key):
            headers["Retry-After"] = "10"
        return Answer(202, None, headers)

    return act


def _generalized(action: str, machine: Resource) -> ArmError:
    return ArmError(
        409,
        "OperationNotAllowed",
        f"Operation '{action}' is not allowed on VM '{machine.id.name}' since the VM is generalized.",
    )


def _generalizing(find: Finder) -> Handler:
    def generalize(cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            machine = find(cloud, request.id)
            # The recordings show Azure accept this right after a redeploy, though the machine runs by then.
            if power_of(cloud, machine) == "running" and not machine.hidden.get("redeployed"):
                raise ArmError(
                    409,
                    "OperationNotAllowed",
                    f"Operation 'generalize' is not allowed on VM '{machine.id.name}' since the VM is running.",
                )
            machine.hidden["os_state"] = "Generalized"
            cloud.store.put(machine)
        return Answer(200)

    return generalize


def start_machine(cloud: Cloud, machine: Resource) -> None:
    """Boot a machine that does not run."""
    if power_of(cloud, machine) == "running":
        return
    set_power(cloud, machine, "running")
    boot_guest(cloud, machine, nic=primary_interface(cloud, machine))
    _mark_disks(cloud, machine, "Attached")


def primary_interface(cloud: Cloud, machine: Resource) -> Resource:
    """Give the machine's first network card."""
    cards = machine.properties["networkProfile"]["networkInterfaces"]
    nic = cloud.store.find(cards[0]["id"])
    if nic is None:
        raise ArmError(409, "OperationNotAllowed", f"The network interface of VM '{machine.id.name}' is gone.")
    return nic


def _start(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    start_machine(cloud, machine)


def _power_off(cloud: Cloud, machine: Resource, request: Request) -> None:
    graceful = request.query.get("skipshutdown", "").lower() != "true"
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=graceful)
    if machine.hidden.get("power") != "deallocated":
        set_power(cloud, machine, "stopped")


def deallocate_machine(cloud: Cloud, machine: Resource) -> None:
    """Shut a machine down and release its hardware."""
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=True)
    set_power(cloud, machine, "deallocated")
    _mark_disks(cloud, machine, "Reserved")


def _deallocate(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    deallocate_machine(cloud, machine)


def _restart(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    if power_of(cloud, machine) != "running":
        start_machine(cloud, machine)
        return
    guest = machine.hidden["guest"]
    cloud.hypervisor.restart(guest)
    cloud.hypervisor.wait_until_provisioned(guest, 900)


def _redeploy(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=True)
    set_power(cloud, machine, "stopped")
    start_machine(cloud, machine)
    with cloud.store.lock:
        if found := cloud.store.find(machine.id):
            found.hidden["redeployed"] = True
            cloud.store.put(found)


def _reapply(cloud: Cloud, machine: Resource, request: Request) -> None:
    del cloud, machine, request


def _mark_disks(cloud: Cloud, machine: Resource, state: str) -> None:
    profile = machine.properties["storageProfile"]
    for disk in (profile["osDisk"], *(profile.get("dataDisks") or [])):
        if identifier := (disk.get("managedDisk") or {}).get("id"):
            set_disk_owner(cloud, identifier, machine.id, state)


_CHANGES: dict[str, Callable[[Cloud, Resource, Request], None]] = {
    "start": _start,
    "powerOff": _power_off,
    "deallocate": _deallocate,
    "restart": _restart,
    "redeploy": _redeploy,
    "reapply": _reapply,
}
