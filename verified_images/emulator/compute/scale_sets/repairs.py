"""Automatic repairs: an instance that stays unhealthy is replaced, restarted or given a new disk.

Source: Azure, "Automatic instance repairs". An instance is left alone for the grace period after it was last
changed; one is repaired at a time, and none that is protected from its scale set's actions.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines import power
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.scale_sets.health import HEALTHY, healths_of
from verified_images.emulator.compute.scale_sets.instances import add_instances, instances_of, remove_instances
from verified_images.emulator.compute.scale_sets.policies import seconds_in
from verified_images.emulator.compute.scale_sets.rolling_upgrades import protected
from verified_images.emulator.compute.scale_sets.upgrades import reimage
from verified_images.emulator.compute.scale_sets.watching import Watch, keep_watch

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
"""How often the instances are asked, unless the grace period is shorter."""


def watch(cloud: Cloud, identifier: ResourceId) -> None:
    """Begin to watch over a scale set whose policy asks for it; one that is watched already is left at that."""
    keep_watch(cloud, identifier, _REPAIRS)


def _interval(cloud: Cloud, scale_set: Resource) -> float | None:
    policy = scale_set.properties.get("automaticRepairsPolicy") or {}
    return min(_LOOK_SECONDS, max(0.05, _grace(cloud, scale_set) / 4)) if policy.get("enabled") else None


def _grace(cloud: Cloud, scale_set: Resource) -> float:
    policy = scale_set.properties.get("automaticRepairsPolicy") or {}
    return cloud.operations.timing.stretch(seconds_in(str(policy.get("gracePeriod") or "PT10M")))


class _Looks:
    """Looks at the instances of one scale set, and remembers since when they are unwell."""

    def __init__(self) -> None:
        self._unwell: dict[str, float] = {}

    def __call__(self, cloud: Cloud, scale_set: Resource) -> None:
        if scale_set.state != "Succeeded" or scale_set.hidden.get("repairs_suspended"):
            self._unwell.clear()
            return
        grace, now = _grace(cloud, scale_set), time.monotonic()
        found = [each for each in instances_of(cloud, scale_set) if each.state == "Succeeded" and not protected(each)]
        for instance, health in zip(found, healths_of(cloud, scale_set, found), strict=True):
            if health == HEALTHY or instance.hidden.get("power") == "deallocated":
                self._unwell.pop(instance.id.key, None)
            elif now - self._unwell.setdefault(instance.id.key, now) >= grace and not cloud.closing.is_set():
                del self._unwell[instance.id.key]
                _repair(cloud, scale_set, instance)
                return


_REPAIRS = Watch("automatic repairs", _interval, _Looks)


def _repair(cloud: Cloud, scale_set: Resource, instance: Resource) -> None:
    action = str(scale_set.properties["automaticRepairsPolicy"].get("repairAction") or "Replace")
    logger.info("%s instance %s, which is unhealthy", action, instance.id)
    # As an operation on the scale set, so that nobody changes it meanwhile.
    with cloud.operations.turns.ask(scale_set.id.key):
        try:
            if action == "Reimage":
                on_each(cloud, [instance], reimage)
            elif action == "Restart":
                on_each(cloud, [instance], power.restart_on_new_hardware)
            else:
                remove_instances(cloud, [instance])
                add_instances(cloud, scale_set, 1)
        except ArmError as error:
            logger.warning("the repair of %s failed: %s", instance.id, error)
