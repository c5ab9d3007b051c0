"""What is done to many instances of a scale set at once, and to the scale set itself. Source: Azure OpenAPI, ComputeRP.

Which instances a call is about stands in its body: all when it has none or says ``["*"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.compute.machines import power
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.scale_sets.instances import instances_of, remove_instances
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.policies import spell
from verified_images.emulator.compute.scale_sets.rolling_upgrades import protected
from verified_images.emulator.compute.scale_sets.upgrades import reimage, reimage_all, upgrade
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.lifecycle import set_state
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

    Change = Callable[[Cloud, Resource, Request], None]

_MOST_IN_ONE_PLACEMENT_GROUP = 100
_DESTRUCTIVE = {"reimage", "reimageall", "deallocate", "delete", "manualupgrade", "poweroff", "restart", "redeploy"}


def routes(item: str) -> Iterator[Route]:
    """Give the routes of the actions under the pattern of a scale set."""
    for action, change in (power.CHANGES | MORE_CHANGES).items():
        yield Route("POST", f"{item}/{action}", _acting_on_many(action, change))
    yield Route("POST", item + "/delete", _delete_many)
    yield Route("POST", item + "/performMaintenance", _refuse_maintenance)
    yield Route("POST", item + "/convertToSinglePlacementGroup", _convert)
    yield Route("POST", item + "/forceRecoveryServiceFabricPlatformUpdateDomainWalk", _refuse_walk)
    yield Route("POST", item + "/setOrchestrationServiceState", _set_service_state)


def _reimage(cloud: Cloud, instance: Resource, request: Request) -> None:
    del request
    reimage(cloud, instance)


def _reimage_all(cloud: Cloud, instance: Resource, request: Request) -> None:
    del request
    reimage_all(cloud, instance)


def _upgrade(cloud: Cloud, instance: Resource, request: Request) -> None:
    del request
    upgrade(cloud, instance)


MORE_CHANGES: dict[str, Change] = {"reimage": _reimage, "reimageAll": _reimage_all, "manualupgrade": _upgrade}
"""What can be done to an instance beyond the power actions."""


def wanted_instances(cloud: Cloud, request: Request, scale_set: Resource) -> list[Resource]:
    """Give the instances that a call's body names.

    Raises:
        ArmError: 400 InvalidParameter: one of them does not exist.
    """
    named = (request.json().get("instanceIds") if request.content else None) or ["*"]
    present = {instance.id.name.lower(): instance for instance in instances_of(cloud, scale_set)}
    if named == ["*"]:
        return list(present.values())
    for number in named:
        if str(number).lower() not in present:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The provided instanceId {number} is not an active Virtual Machine Scale Set VM instanceId.",
                target="instanceIds",
            )
    return [present[str(number).lower()] for number in dict.fromkeys(named)]


def check_unprotected(scale_set: Resource, action: str, instances: list[Resource]) -> None:
    """Refuse what a scale set's action would do to instances that are protected from it.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    kept = [instance.id.name for instance in instances if protected(instance)]
    if kept and action.lower() in _DESTRUCTIVE:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{action}' is not allowed on instance(s) '{', '.join(kept)}' of Virtual Machine Scale Set "
            f"'{scale_set.id.name}' since they are protected from scale set actions by their protection policy.",
        )


def _acting_on_many(action: str, change: Change) -> Handler:
    def act(cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            scale_set = scale_set_of(cloud, request)
            if action == "manualupgrade":
                _check_named(request)
            instances = wanted_instances(cloud, request, scale_set)
            check_unprotected(scale_set, action, instances)
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


def _check_named(request: Request) -> None:
    if not request.content or not request.json().get("instanceIds"):
        raise arm_errors.missing_parameter("instanceIds")


def _delete_many(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        _check_named(request)
        wanted = wanted_instances(cloud, request, scale_set)
        check_unprotected(scale_set, "delete", wanted)
        return start_deletion(cloud, request, scale_set, wanted, f"{scale_set.id.type}/delete/action")


def start_deletion(cloud: Cloud, request: Request, scale_set: Resource, instances: list[Resource], name: str) -> Answer:
    """Begin to delete instances, by which the scale set's capacity goes down at once."""
    going = [instance for instance in instances if instance.state != "Deleting"]
    if scale_set.body.get("sku"):
        scale_set.body["sku"]["capacity"] = max(0, int(scale_set.body["sku"]["capacity"]) - len(going))
    cloud.store.put(scale_set)
    for instance in going:
        set_state(cloud, instance.id, "Deleting")
    started = cloud.operations.start(
        request, name, scale_set.location, lambda: remove_instances(cloud, instances), track=COMPUTE, slow=True
    )
    return Answer(202, None, started.status_header | started.location_header)


def _refuse_maintenance(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    for instance in wanted_instances(cloud, request, scale_set):
        raise maintenance_refused(instance)
    return Answer(200)


def maintenance_refused(instance: Resource) -> ArmError:
    """Make the recorded refusal of maintenance that is not due."""
    return ArmError(
        409,
        "OperationNotAllowed",
        f"Operation 'performMaintenance' is not allowed on VM '{instance.body['name']}' since the Subscription of this "
        "VM is not eligible.",
    )


def _convert(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        count = len(instances_of(cloud, scale_set))
        why = ""
        if is_flexible(scale_set):
            why = "its orchestration mode is 'Flexible'"
        elif count > _MOST_IN_ONE_PLACEMENT_GROUP:
            why = f"it has more than {_MOST_IN_ONE_PLACEMENT_GROUP} instances"
        if why:
            raise ArmError(
                409,
                "OperationNotAllowed",
                "Operation 'convertToSinglePlacementGroup' is not allowed on Virtual Machine Scale Set "
                f"'{scale_set.id.name}' since {why}.",
            )
        scale_set.properties["singlePlacementGroup"] = True
        cloud.store.put(scale_set)
    return Answer(200)


def _refuse_walk(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    raise ArmError(
        409,
        "OperationNotAllowed",
        "Operation 'forceRecoveryServiceFabricPlatformUpdateDomainWalk' is not allowed on Virtual Machine Scale Set "
        f"'{scale_set.id.name}' since it is not a Service Fabric cluster.",
    )


def _set_service_state(cloud: Cloud, request: Request) -> Answer:
    body = request.json()
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        service = spell("serviceName", body.get("serviceName") or "", ("AutomaticRepairs",))
        action = spell("action", body.get("action") or "", ("Resume", "Suspend"))
        if not (scale_set.properties.get("automaticRepairsPolicy") or {}).get("enabled"):
            raise invalid_parameter(
                "serviceName",
                f"The orchestration service '{service}' is not enabled on Virtual Machine Scale Set "
                f"'{scale_set.id.name}'.",
            )
        scale_set.hidden["repairs_suspended"] = action == "Suspend"
        cloud.store.put(scale_set)
    name = f"{scale_set.id.type}/setOrchestrationServiceState/action"
    started = cloud.operations.start(request, name, scale_set.location, lambda: None, track=COMPUTE)
    return Answer(202, None, started.status_header | started.location_header)
