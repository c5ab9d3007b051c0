"""Rolling upgrades: a batch of instances after another, stopped by bad health or by the user.

A scale set remembers its latest one, and every change of the OS image. Source: Azure OpenAPI, ComputeRP
``RollingUpgradeStatusInfo``; error codes as Azure's documents of rolling upgrades name them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.scale_sets.health import HEALTHY, healths_of, watches_health
from verified_images.emulator.compute.scale_sets.instances import instances_of
from verified_images.emulator.compute.scale_sets.policies import seconds_in
from verified_images.emulator.compute.scale_sets.upgrades import image_of, is_latest, upgrade
from verified_images.emulator.lifecycle import check_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

    Change = Callable[[Cloud, Resource], None]

HEALTH_SECONDS = 300.0
"""How long an upgraded instance may take to be found healthy."""
_ASK_SECONDS = 0.2
_MOST_HISTORY = 50
RUNNING = "RollingForward"


def upgrade_all(cloud: Cloud, scale_set: Resource) -> None:
    """Upgrade all instances that have an older model, at once or, under a rolling policy, a batch after another.

    Raises:
        ArmError: an upgrade failed, or more instances were unhealthy than a rolling policy allows.
    """
    old = [each for each in instances_of(cloud, scale_set) if not is_latest(scale_set, each) and not protected(each)]
    if scale_set.properties["upgradePolicy"]["mode"] != "Rolling":
        on_each(cloud, old, upgrade)
    elif old:
        reference = scale_set.properties["virtualMachineProfile"]["storageProfile"]["imageReference"]
        another = any({**image_of(each), **reference} != image_of(each) for each in old)
        begin(cloud, scale_set.id, started_by="User", os_image=reference if another else None)
        roll(cloud, scale_set.id, old, upgrade)


def protected(instance: Resource) -> bool:
    """Tell whether the actions of its scale set pass an instance by."""
    return bool((instance.properties.get("protectionPolicy") or {}).get("protectFromScaleSetActions"))


def begin(cloud: Cloud, scale_set: ResourceId, *, started_by: str, os_image: dict[str, Any] | None = None) -> None:
    """Write down that a rolling upgrade begins; ``os_image`` is the reference of a new image, when it is one."""
    now = _now()
    with cloud.store.changing(scale_set) as found:
        if found:
            found.hidden["rolling_upgrade"] = {
                "runningStatus": {"code": RUNNING, "startTime": now, "lastAction": "Start", "lastActionTime": now},
                "progress": _progress(0, 0, 0, 0),
                "startedBy": started_by,
                **({"targetImageReference": os_image} if os_image else {}),
            }


def is_rolling(scale_set: Resource) -> bool:
    """Tell whether a rolling upgrade of a scale set runs."""
    latest = scale_set.hidden.get("rolling_upgrade") or {}
    return bool((latest.get("runningStatus") or {}).get("code") == RUNNING)


def note_interrupted(cloud: Cloud, scale_set: ResourceId) -> None:
    """Write down that a rolling upgrade which ran came to no end, after the local Azure was started again."""
    with cloud.store.changing(scale_set) as found:
        if found and is_rolling(found):
            latest = found.hidden["rolling_upgrade"]
            error = {"code": "InternalServerError", "message": "The local Azure was stopped while the upgrade ran."}
            latest["runningStatus"]["code"] = "Faulted"
            found.hidden.pop("os_upgrade_tried", None)
            latest |= {"error": error, "endTime": _now()}


def note_rollback(cloud: Cloud, scale_set: ResourceId, done: int, failed: int) -> None:
    """Write down how many instances got their old image back after the latest upgrade, and how many could not."""
    info = {"successfullyRolledbackInstanceCount": done, "failedRolledbackInstanceCount": failed}
    with cloud.store.changing(scale_set) as found:
        if found and (upgrades := found.hidden.get("os_upgrades")):
            upgrades[0]["rollbackInfo"] = info


def _progress(successful: int, failed: int, running: int, pending: int) -> dict[str, int]:
    return {
        "successfulInstanceCount": successful,
        "failedInstanceCount": failed,
        "inProgressInstanceCount": running,
        "pendingInstanceCount": pending,
    }


def roll(
    cloud: Cloud,
    identifier: ResourceId,
    instances: Sequence[Resource],
    change: Change,
    rules: dict[str, Any] | None = None,
) -> None:
    """Change instances a batch after another, as ``rules`` or the scale set's rolling policy say.

    Raises:
        ArmError: more instances were unhealthy than the policy allows, or the upgrade was cancelled.
    """
    scale_set = check_wanted(cloud, identifier)
    if not is_rolling(scale_set):
        begin(cloud, identifier, started_by="User")
    rules = rules or scale_set.properties["upgradePolicy"].get("rollingUpgradePolicy") or {}
    total = len(instances_of(cloud, scale_set))
    size = max(1, total * int(rules.get("maxBatchInstancePercent", 20)) // 100)
    pause = cloud.operations.timing.stretch(seconds_in(str(rules.get("pauseTimeBetweenBatches", "PT0S"))))
    batches = [instances[start : start + size] for start in range(0, len(instances), size)]
    run = _Run(cloud, identifier, rules, len(instances))
    for number, batch in enumerate(batches):
        if number:
            cloud.closing.wait(pause)
        if run.is_cancelled():
            run.finish("Cancelled", "Cancel")
            raise ArmError(409, "OperationNotAllowed", "The Rolling Upgrade was cancelled.")
        run.check_others(number)
        run.do(batch, change)
    run.finish("Completed")


class _Run:
    """One rolling upgrade while it runs, and what it has written down so far."""

    def __init__(self, cloud: Cloud, scale_set: ResourceId, rules: dict[str, Any], count: int) -> None:
        self._cloud = cloud
        self._scale_set = scale_set
        self._rules = rules
        self._count = count
        self._done: list[ResourceId] = []
        self._failed: list[ResourceId] = []

    def is_cancelled(self) -> bool:
        found = check_wanted(self._cloud, self._scale_set)
        return bool(found.hidden["rolling_upgrade"]["runningStatus"]["lastAction"] == "Cancel")

    def check_others(self, number: int) -> None:
        """Refuse to go on while more of all instances are unhealthy than the policy allows."""
        scale_set = check_wanted(self._cloud, self._scale_set)
        if not watches_health(scale_set):
            return
        instances = instances_of(self._cloud, scale_set)
        sick = [health for health in healths_of(self._cloud, scale_set, instances) if health != HEALTHY]
        percent, allowed = 100 * len(sick) // max(1, len(instances)), self._allowed("maxUnhealthyInstancePercent")
        if percent > allowed:
            when = "InRollingUpgrade" if number else "BeforeRollingUpgrade"
            self._fail(
                f"MaxUnhealthyInstancePercentExceeded{when}",
                f"Rolling Upgrade failed {'after' if number else 'before it began by'} exceeding the "
                f"MaxUnhealthyInstancePercent value defined in the RollingUpgradePolicy. {percent}% of instances are "
                f"in an unhealthy state{' after being upgraded' if number else ''} - more than the threshold of "
                f"{allowed}%.",
            )

    def do(self, batch: Sequence[Resource], change: Change) -> None:
        """Change a batch and wait until it is healthy."""
        self._note(running=len(batch))
        impact = ""
        try:
            on_each(self._cloud, batch, change)
        except ArmError as error:
            impact = f" The most impactful error is: {error.message}"
        self._failed += self._sick_of(batch)
        self._done += [each.id for each in batch if each.id not in self._failed]
        self._note()
        percent = 100 * len(self._failed) // max(1, len(self._failed) + len(self._done))
        allowed = self._allowed("maxUnhealthyUpgradedInstancePercent")
        if percent > allowed:
            self._fail(
                "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
                "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in the "
                f"RollingUpgradePolicy. {percent}% of instances are in an unhealthy state after being upgraded - more "
                f"than the threshold of {allowed}%.{impact} First failed instance ID is: {self._failed[0].name}.",
            )

    def _sick_of(self, batch: Sequence[Resource]) -> list[ResourceId]:
        waiting = [each.id for each in batch]
        scale_set = check_wanted(self._cloud, self._scale_set)
        deadline = time.monotonic() + HEALTH_SECONDS
        while True:
            found = [now for each in waiting if (now := self._cloud.store.find(each)) and now.state != "Deleting"]
            failed = [now.id for now in found if now.state == "Failed"]
            rest = [now for now in found if now.state != "Failed"]
            health = healths_of(self._cloud, scale_set, rest) if watches_health(scale_set) else [HEALTHY] * len(rest)
            sick = [now.id for now, how in zip(rest, health, strict=True) if how != HEALTHY]
            if not sick or time.monotonic() > deadline or self._cloud.closing.wait(_ASK_SECONDS):
                return failed + sick

    def _allowed(self, name: str) -> int:
        return int(self._rules.get(name, 20))

    def _note(self, *, running: int = 0, **more: Any) -> None:  # noqa: ANN401 - any JSON value
        done, failed = len(self._done), len(self._failed)
        with self._cloud.store.changing(self._scale_set) as found:
            if found:
                left = max(0, self._count - done - failed - running)
                found.hidden["rolling_upgrade"] |= {"progress": _progress(done, failed, running, left), **more}

    def _fail(self, code: str, message: str) -> None:
        self._note(error={"code": code, "message": message})
        self.finish("Faulted")
        raise ArmError(409, code, message)

    def finish(self, code: str, action: str = "Start") -> None:
        """Write down how the upgrade ended, in the history too when it brought another OS image."""
        with self._cloud.store.changing(self._scale_set) as found:
            if found is None:
                return
            latest = found.hidden["rolling_upgrade"]
            latest["runningStatus"] |= {"code": code, "lastAction": action}
            latest["endTime"] = _now()
            if latest.get("targetImageReference"):
                found.hidden["os_upgrades"] = [latest, *found.hidden.get("os_upgrades", [])][:_MOST_HISTORY]


def _now() -> str:
    return datetime.now(UTC).isoformat()
