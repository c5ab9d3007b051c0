"""The URL table of a scale set's single instances: views, changes, actions. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.guest_agent import run_command
from verified_images.emulator.compute.machines import boot_diagnostics, data_disks, power
from verified_images.emulator.compute.machines.actions import evict_machine
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.scale_sets import cards
from verified_images.emulator.compute.scale_sets.actions import (
    MORE_CHANGES,
    maintenance_refused,
    start_deletion,
    wanted_instances,
)
from verified_images.emulator.compute.scale_sets.instance_updates import put_instance
from verified_images.emulator.compute.scale_sets.instance_views import instance_view_of, list_instances, shown_instance
from verified_images.emulator.compute.scale_sets.instances import find_instance, instances_of, remove_instances
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.uniform_instances import TYPE
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.lifecycle import set_state
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

    Change = Callable[[Cloud, Resource, Request], None]


def instance_routes(scale_set: str) -> Iterator[Route]:
    """Give the routes of a scale set's instances and cards under the pattern of the scale set."""
    instances = scale_set + "/virtualMachines"
    item = instances + "/{instance}"
    yield Route("GET", instances, list_instances)
    yield Route("GET", item, _get)
    yield Route("PUT", item, put_instance)
    yield Route("DELETE", item, _delete)
    yield Route("GET", item + "/instanceView", _get_instance_view)
    for action, change in (power.CHANGES | MORE_CHANGES).items():
        if action != "manualupgrade":
            yield Route("POST", f"{item}/{action}", _acting(action, change))
    yield Route("POST", item + "/performMaintenance", _refuse_maintenance)
    yield Route("POST", item + "/simulateEviction", _simulate_eviction)
    yield from data_disks.routes(item, find_instance)
    yield from run_command.routes(item, find_instance)
    yield from boot_diagnostics.routes(item, find_instance)
    yield from cards.routes(scale_set, scale_set_of, _instance_of)


def _instance_of(cloud: Cloud, request: Request) -> Resource:
    scale_set = scale_set_of(cloud, request)
    return find_instance(cloud, scale_set.id.child("virtualMachines", request.parameters["instance"]))


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, shown_instance(cloud, scale_set_of(cloud, request), _instance_of(cloud, request), request))


def _get_instance_view(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, instance_view_of(cloud, scale_set_of(cloud, request), _instance_of(cloud, request)))


def _delete(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        wanted = request.parameters["instance"].lower()
        # Recorded: the deletion of an instance that is gone is an operation too.
        going = [each for each in instances_of(cloud, scale_set) if each.id.name.lower() == wanted]
        return start_deletion(cloud, request, scale_set, going, f"{TYPE}/delete")


def _acting(action: str, change: Change) -> Handler:
    def act(cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            scale_set = scale_set_of(cloud, request)
            if request.parameters["instance"] == "*":
                # The azure CLI names all instances so; it was recorded with "%2A".
                instances = wanted_instances(cloud, request, scale_set)
            else:
                instances = [_instance_of(cloud, request)]
            for instance in instances:
                power.check_allowed(action, instance)
                set_state(cloud, instance.id, "Updating")
        started = cloud.operations.start(
            request,
            f"{TYPE}/{action}/action",
            scale_set.location,
            Work(lambda: on_each(cloud, instances, lambda cloud, instance: change(cloud, instance, request))),
            track=COMPUTE,
            slow=True,
        )
        return Answer(202, None, started.status_header | started.location_header)

    return act


def _refuse_maintenance(cloud: Cloud, request: Request) -> Answer:
    raise maintenance_refused(_instance_of(cloud, request))


def _simulate_eviction(cloud: Cloud, request: Request) -> Answer:
    scale_set, instance = scale_set_of(cloud, request), _instance_of(cloud, request)
    profile = scale_set.properties["virtualMachineProfile"]
    if profile.get("priority") not in {"Spot", "Low"}:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'simulateEviction' is not allowed on VM '{instance.body['name']}' since it is not an Azure "
            "Spot Virtual Machine.",
        )
    delete = profile["evictionPolicy"] == "Delete"
    threading.Thread(target=_evict, args=(cloud, scale_set, instance, delete), name="eviction", daemon=True).start()
    return Answer(204)


def _evict(cloud: Cloud, scale_set: Resource, instance: Resource, delete: bool) -> None:  # noqa: FBT001 - a thread's argument
    if is_flexible(scale_set):
        evict_machine(cloud, instance)
        return
    if not delete:
        on_each(cloud, [instance], power.deallocate_machine)
        return
    with cloud.store.changing(scale_set.id) as found:
        if found:
            found.body["sku"]["capacity"] = max(0, int(found.body["sku"]["capacity"]) - 1)
    remove_instances(cloud, [instance])
