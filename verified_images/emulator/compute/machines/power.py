"""Power actions on machines: start, powerOff, deallocate, restart, redeploy, reapply, generalize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.disks.ephemeral_disks import is_ephemeral
from verified_images.emulator.compute.machines.disks import check_disks_usable, mark_disks
from verified_images.emulator.compute.machines.guests import boot_guest, power_of, set_power, wait_for_guest
from verified_images.emulator.lifecycle import check_wanted, set_state
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

    Finder = Callable[[Cloud, ResourceId], Resource]
    Change = Callable[[Cloud, Resource, Request], None]

_WITH_RETRY_AFTER = {"start", "deallocate"}
_ALLOWED_WHEN_GENERALIZED = {"deallocate", "powerOff"}


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the routes of the power actions under ``item``; ``find`` gives the machine of an id."""
    for action, change in CHANGES.items():
        yield Route("POST", f"{item}/{action}", _acting(action, change, find))


def _acting(action: str, change: Change, find: Finder) -> Handler:
    def act(cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            machine = find(cloud, request.id)
            check_allowed(action, machine)
            set_state(cloud, machine.id, "Updating")
        started = cloud.operations.start(
            request,
            f"{machine.id.type}/{action}/action",
            machine.location,
            Work(
                lambda: change(cloud, check_wanted(cloud, machine.id), request),
                on=machine.id,
                conclude=lambda succeeded: conclude(cloud, machine.id, succeeded=succeeded),
            ),
            track=COMPUTE,
            slow=True,
        )
        headers = started.status_header | started.location_header
        if action in _WITH_RETRY_AFTER and not started.at_once:
            headers["Retry-After"] = "10"
        return Answer(202, None, headers)

    return act


def check_allowed(action: str, machine: Resource) -> None:
    """Refuse an action on a machine that is generalized or being deleted.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    if action == "deallocate" and is_ephemeral(machine):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Operation 'deallocate' is not supported for VMs or VM Scale Set instances using an ephemeral OS disk.",
        )
    why = ""
    if machine.state == "Deleting":
        why = "VM is marked for deletion. You can only retry the Delete operation (or wait for an ongoing one to "
        why += "complete)"
    elif machine.hidden.get("os_state") == "Generalized" and action not in _ALLOWED_WHEN_GENERALIZED:
        why = "VM is generalized"
    if why:
        name = machine.body.get("name", machine.id.name)
        raise ArmError(
            409, "OperationNotAllowed", f"Operation '{action}' is not allowed on VM '{name}' since the {why}."
        )


def conclude(cloud: Cloud, machine: ResourceId, *, succeeded: bool) -> None:
    """Write the provisioning state that an action leaves."""
    with cloud.store.changing(machine) as found:
        if found and found.state != "Deleting":
            found.properties["provisioningState"] = "Succeeded" if succeeded else "Failed"


def generalize(find: Finder) -> Handler:
    """Make the handler of the call that marks a machine as generalized."""

    def answer(cloud: Cloud, request: Request) -> Answer:
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

    return answer


def start_machine(cloud: Cloud, machine: Resource) -> None:
    """Boot a machine that does not run."""
    if power_of(cloud, machine) == "running":
        return
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden.pop("redeployed", None)
    check_disks_usable(cloud, machine)
    mark_disks(cloud, machine, "Attached")
    boot_guest(cloud, machine, nic=primary_interface(cloud, machine))


def primary_interface(cloud: Cloud, machine: Resource) -> Resource:
    """Give the machine's primary network card, which is the first unless the model says otherwise."""
    cards = machine.properties["networkProfile"]["networkInterfaces"]
    primary = next((card for card in cards if (card.get("properties") or {}).get("primary")), cards[0])
    nic = cloud.store.find(primary["id"])
    if nic is None:
        raise ArmError(409, "OperationNotAllowed", f"The network interface of VM '{machine.id.name}' is gone.")
    return nic


def _start(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    start_machine(cloud, machine)


def _power_off(cloud: Cloud, machine: Resource, request: Request) -> None:
    graceful = request.query.get("skipshutdown", "").lower() != "true"
    if machine.hidden.get("power") == "deallocated":
        return
    set_power(cloud, machine, "stopping")
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=graceful)
    set_power(cloud, machine, "stopped")


def deallocate_machine(cloud: Cloud, machine: Resource) -> None:
    """Shut a machine down and release its hardware."""
    set_power(cloud, machine, "deallocating")
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=True)
    set_power(cloud, machine, "deallocated")
    mark_disks(cloud, machine, "Reserved")


def _deallocate(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    deallocate_machine(cloud, machine)


def _restart(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    if power_of(cloud, machine) != "running":
        start_machine(cloud, machine)
        return
    set_power(cloud, machine, "starting")
    cloud.hypervisor.restart(machine.hidden["guest"])
    set_power(cloud, machine, "running")
    wait_for_guest(cloud, machine)


def restart_on_new_hardware(cloud: Cloud, machine: Resource) -> None:
    """Shut a machine down and boot it again with what its model says now."""
    set_power(cloud, machine, "stopping")
    cloud.hypervisor.stop(machine.hidden["guest"], graceful=True)
    set_power(cloud, machine, "stopped")
    start_machine(cloud, check_wanted(cloud, machine.id))


def _redeploy(cloud: Cloud, machine: Resource, request: Request) -> None:
    del request
    restart_on_new_hardware(cloud, machine)
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden["redeployed"] = True


def _reapply(cloud: Cloud, machine: Resource, request: Request) -> None:
    """Do nothing: the state of a machine here is always that of its model."""
    del cloud, machine, request


CHANGES: dict[str, Change] = {
    "start": _start,
    "powerOff": _power_off,
    "deallocate": _deallocate,
    "restart": _restart,
    "redeploy": _redeploy,
    "reapply": _reapply,
}
