"""The URL table of a scale set's instances: views, actions on one and on many. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import boot_diagnostics, power, run_command, scale_set_cards
from verified_images.emulator.compute.instance_view import instance_view
from verified_images.emulator.compute.scale_set_instances import (
    TYPE,
    find_instance,
    instances_of,
    on_each,
    remove_instances,
)
from verified_images.emulator.compute.scale_set_upgrades import reimage, upgrade
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import check_group_exists, set_state
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.paging import page
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
    yield Route("GET", instances, _list)
    yield Route("GET", item, _get)
    yield Route("DELETE", item, _delete)
    yield Route("GET", item + "/instanceView", _get_instance_view)
    yield Route("POST", item + "/reimage", _reimage_one)
    for action, change in (power.CHANGES | _MORE_CHANGES).items():
        yield Route("POST", f"{scale_set}/{action}", _acting_on_many(action, change))
    yield Route("POST", scale_set + "/delete", _delete_many)
    yield from power.routes(item, find_instance)
    yield from run_command.routes(item, find_instance)
    yield from boot_diagnostics.routes(item, find_instance)
    yield from scale_set_cards.routes(scale_set, _scale_set_of, _instance_of)


def _scale_set_of(cloud: Cloud, request: Request) -> Resource:
    identifier = ResourceId(
        request.parameters["subscription"],
        request.parameters["group"],
        "Microsoft.Compute",
        ("virtualMachineScaleSets",),
        (request.parameters["name"],),
    )
    check_group_exists(cloud, identifier)
    scale_set = cloud.store.find(identifier)
    if scale_set is None:
        raise arm_errors.resource_not_found(identifier)
    return scale_set


def _instance_of(cloud: Cloud, request: Request) -> Resource:
    scale_set = _scale_set_of(cloud, request)
    return find_instance(cloud, scale_set.id.child("virtualMachines", request.parameters["instance"]))


def _render(cloud: Cloud, instance: Resource, request: Request) -> dict[str, Any]:
    scale_set = cloud.store.find(instance.id.parent) if instance.id.parent else None
    latest = scale_set is None or scale_set.hidden["model"] == instance.hidden["model"]
    properties = {**instance.properties, "latestModelApplied": latest}
    if request.query.get("$expand", "").lower() == "instanceview":
        properties["instanceView"] = instance_view(cloud, instance)
    return {**instance.body, "properties": properties}


def _list(cloud: Cloud, request: Request) -> Answer:
    scale_set = _scale_set_of(cloud, request)
    return page(cloud, request, [_render(cloud, instance, request) for instance in instances_of(cloud, scale_set)])


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _render(cloud, find_instance(cloud, request.id), request))


def _get_instance_view(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, instance_view(cloud, find_instance(cloud, request.id)))


def _delete(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        instance = find_instance(cloud, request.id)
        return _start_deletion(cloud, request, _scale_set_of(cloud, request), [instance], f"{TYPE}/delete")


def _delete_many(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = _scale_set_of(cloud, request)
        if not request.content or not request.json().get("instanceIds"):
            raise arm_errors.missing_parameter("instanceIds")
        wanted = _wanted_instances(cloud, request, scale_set)
        return _start_deletion(cloud, request, scale_set, wanted, f"{scale_set.id.type}/delete/action")


def _start_deletion(
    cloud: Cloud, request: Request, scale_set: Resource, instances: list[Resource], name: str
) -> Answer:
    going = [instance for instance in instances if instance.state != "Deleting"]
    scale_set.body["sku"]["capacity"] = int(scale_set.body["sku"]["capacity"]) - len(going)
    cloud.store.put(scale_set)
    for instance in going:
        set_state(cloud, instance.id, "Deleting")
    started = cloud.operations.start(
        request, name, scale_set.location, lambda: remove_instances(cloud, instances), track=COMPUTE, slow=True
    )
    return Answer(202, None, started.status_header | started.location_header)


def _wanted_instances(cloud: Cloud, request: Request, scale_set: Resource) -> list[Resource]:
    """Give the instances that a call's body names: all when there is no body or it says ``["*"]``."""
    named = (request.json().get("instanceIds") if request.content else None) or ["*"]
    present = {instance.id.name: instance for instance in instances_of(cloud, scale_set)}
    if named == ["*"]:
        return list(present.values())
    for number in named:
        if str(number) not in present:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The provided instanceId {number} is not an active Virtual Machine Scale Set VM instanceId.",
                target="instanceIds",
            )
    return [present[str(number)] for number in named]


def _acting_on_many(action: str, change: Change) -> Handler:
    def act(cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            scale_set = _scale_set_of(cloud, request)
            instances = _wanted_instances(cloud, request, scale_set)
            for instance in instances:
                power.check_allowed(action, instance)
                set_state(cloud, instance.id, "Updating")
        started = cloud.operations.start(
            request,
            f"{scale_set.id.type}/{action}/action",
            scale_set.location,
            lambda: on_each(cloud, instances, lambda cloud, instance: change(cloud, instance, request)),
            track=COMPUTE,
            slow=True,
        )
        return Answer(202, None, started.status_header | started.location_header)

    return act


def _reimage_one(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        instance = find_instance(cloud, request.id)
        power.check_allowed("reimage", instance)
        set_state(cloud, instance.id, "Updating")
    work = Work(
        lambda: reimage(cloud, find_instance(cloud, request.id)),
        on=instance.id,
        conclude=lambda succeeded: power.conclude(cloud, instance.id, succeeded=succeeded),
    )
    started = cloud.operations.start(
        request, f"{TYPE}/reimage/action", instance.location, work, track=COMPUTE, slow=True
    )
    return Answer(202, None, started.status_header | started.location_header)


def _reimage(cloud: Cloud, instance: Resource, request: Request) -> None:
    del request
    reimage(cloud, instance)


def _upgrade(cloud: Cloud, instance: Resource, request: Request) -> None:
    del request
    upgrade(cloud, instance)


_MORE_CHANGES: dict[str, Change] = {"reimage": _reimage, "reimageAll": _reimage, "manualupgrade": _upgrade}
