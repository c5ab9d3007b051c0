"""The calls that begin, show and stop rolling upgrades. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.scale_sets.health import watches_health
from verified_images.emulator.compute.scale_sets.os_upgrades import bring_to, newest_image, outdated_instances
from verified_images.emulator.compute.scale_sets.rolling_upgrades import begin, is_rolling, roll
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_TYPE = "Microsoft.Compute/virtualMachineScaleSets"
_SHOWN_IN_HISTORY = ("progress", "error", "startedBy", "targetImageReference", "rollbackInfo")


def routes(item: str) -> Iterator[Route]:
    """Give the routes under the pattern of a scale set."""
    yield Route("POST", item + "/osRollingUpgrade", _start_os_upgrade)
    yield Route("GET", item + "/rollingUpgrades/latest", _get_latest)
    yield Route("POST", item + "/rollingUpgrades/cancel", _cancel)
    yield Route("GET", item + "/osUpgradeHistory", _list_history)


def _start_os_upgrade(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = upgradable(cloud, request)
        target = newest_image(cloud, scale_set)
        begin(cloud, scale_set.id, started_by="User", os_image=target)

    def carry_out() -> None:
        roll(cloud, scale_set.id, outdated_instances(cloud, scale_set, target), bring_to(target))

    return start_upgrade(cloud, request, scale_set, "osRollingUpgrade", carry_out)


def upgradable(cloud: Cloud, request: Request) -> Resource:
    """Give the scale set of a call that begins a rolling upgrade.

    Raises:
        ArmError: 400: nothing tells of its health; 409: an upgrade runs already.
    """
    scale_set = scale_set_of(cloud, request)
    if not watches_health(scale_set):
        raise ArmError(
            400,
            "BadRequest",
            "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a health probe or health "
            "extension was not provided.",
        )
    if is_rolling(scale_set):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "A Rolling Upgrade is already in progress for this Virtual Machine Scale Set. Wait for it, or cancel it.",
        )
    return scale_set


def start_upgrade(
    cloud: Cloud, request: Request, scale_set: Resource, action: str, carry_out: Callable[[], None]
) -> Answer:
    """Begin what an action on a scale set does, and give the action's answer."""
    started = cloud.operations.start(
        request, f"{_TYPE}/{action}/action", scale_set.location, carry_out, track=COMPUTE, slow=True
    )
    return Answer(202, None, started.status_header | started.location_header)


def _get_latest(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    latest = scale_set.hidden.get("rolling_upgrade")
    if not latest:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    policy = (scale_set.properties.get("upgradePolicy") or {}).get("rollingUpgradePolicy") or {
        "maxBatchInstancePercent": 20,
        "maxUnhealthyInstancePercent": 20,
        "maxUnhealthyUpgradedInstancePercent": 20,
        "pauseTimeBetweenBatches": "PT0S",
    }
    shown = {key: latest[key] for key in ("runningStatus", "progress", "error") if key in latest}
    return Answer(
        200,
        {"properties": {"policy": policy, **shown}, "type": f"{_TYPE}/rollingUpgrades", "location": scale_set.location},
    )


def _cancel(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        if not is_rolling(scale_set):
            raise ArmError(409, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.")
        scale_set.hidden["rolling_upgrade"]["runningStatus"]["lastAction"] = "Cancel"
        cloud.store.put(scale_set)
    return start_upgrade(cloud, request, scale_set, "rollingUpgrades/cancel", lambda: None)


def _list_history(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    found = [_in_history(scale_set, upgrade) for upgrade in scale_set.hidden.get("os_upgrades", [])]
    return page(cloud, request, found)


def _in_history(scale_set: Resource, upgrade: dict[str, Any]) -> dict[str, Any]:
    status = upgrade["runningStatus"]
    code = {"Faulted": "Faulted", "Cancelled": "Cancelled"}.get(status["code"], "Completed")
    running = {"code": code, "startTime": status["startTime"], "endTime": upgrade["endTime"]}
    shown = {key: upgrade[key] for key in _SHOWN_IN_HISTORY if key in upgrade}
    return {
        "properties": {"runningStatus": running, **shown},
        "type": f"{_TYPE}/rollingUpgrades",
        "location": scale_set.location,
    }
