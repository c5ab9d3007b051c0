"""Automatic repairs: an instance that stays unhealthy is replaced, restarted or given a new disk.

Source: Azure, "Automatic instance repairs". An instance is left alone for the grace period after it was last
changed; one is repaired at a time, and none that is protected from its scale set's actions.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import power
from verified_images.emulator.compute.scale_set_health import HEALTHY, healths_of
from verified_images.emulator.compute.scale_set_instances import add_instances, instances_of, remove_instances
from verified_images.emulator.compute.scale_set_policies import seconds_in
from verified_images.emulator.compute.scale_set_rolling_upgrades import protected
from verified_images.emulator.compute.scale_set_upgrades import reimage
from verified_images.emulator.compute.side_by_side import on_each

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
"""How often the instances are asked, unless the grace period is shorter."""
_watched: set[tuple[int, str]] = set()
_lock = threading.Lock()


def watch(cloud: Cloud, identifier: ResourceId) -> None:
    """Begin to watch over a scale set whose policy asks for it; one that is watched already is left at that."""
    key = id(cloud), identifier.key
    with _lock:
        if key in _watched or not _policy(cloud, identifier):
            return
        _watched.add(key)
    threading.Thread(target=_watch, args=(cloud, identifier, key), name="automatic repairs", daemon=True).start()


def _policy(cloud: Cloud, identifier: ResourceId) -> dict[str, object] | None:
    scale_set = cloud.store.find(identifier)
    policy = (scale_set.properties.get("automaticRepairsPolicy") or {}) if scale_set else {}
    return policy if scale_set and scale_set.state != "Deleting" and policy.get("enabled") else None


def _watch(cloud: Cloud, identifier: ResourceId, key: tuple[int, str]) -> None:
    unwell: dict[str, float] = {}
    try:
        while policy := _policy(cloud, identifier):
            grace = cloud.operations.timing.stretch(seconds_in(str(policy.get("gracePeriod") or "PT10M")))
            if cloud.closing.wait(min(_LOOK_SECONDS, max(0.05, grace / 4))):
                return
            _look(cloud, identifier, unwell, grace)
    finally:
        with _lock:
            _watched.discard(key)


def _look(cloud: Cloud, identifier: ResourceId, unwell: dict[str, float], grace: float) -> None:
    scale_set = cloud.store.find(identifier)
    if scale_set is None or scale_set.state != "Succeeded" or scale_set.hidden.get("repairs_suspended"):
        unwell.clear()
        return
    instances = [each for each in instances_of(cloud, scale_set) if each.state == "Succeeded" and not protected(each)]
    now = time.monotonic()
    for instance, health in zip(instances, healths_of(cloud, scale_set, instances), strict=True):
        if health == HEALTHY or instance.hidden.get("power") == "deallocated":
            unwell.pop(instance.id.key, None)
        elif now - unwell.setdefault(instance.id.key, now) >= grace and not cloud.closing.is_set():
            del unwell[instance.id.key]
            _repair(cloud, scale_set, instance)
            return


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
