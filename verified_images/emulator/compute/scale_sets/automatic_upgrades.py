"""Automatic OS upgrades: a newer version of a scale set's image comes to its instances by itself.

A model that names no version (a gallery's definition, or ``latest``) follows what is published. Each version is tried
once; an instance that is not well afterwards gets its old version back. Source: Azure, "Automatic OS image upgrades";
OpenAPI, ComputeRP, ``AutomaticOSUpgradePolicy``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.scale_sets.health import HEALTHY, healths_of
from verified_images.emulator.compute.scale_sets.os_upgrades import bring_to, newest_image, outdated_instances
from verified_images.emulator.compute.scale_sets.policies import ROLLING_DEFAULTS
from verified_images.emulator.compute.scale_sets.rolling_upgrades import begin, is_rolling, note_rollback, roll
from verified_images.emulator.compute.scale_sets.upgrades import image_of
from verified_images.emulator.compute.scale_sets.watching import Watch, keep_watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
"""How often it is asked whether there is a newer version; Azure takes longer, and tells nobody how long."""


def keep_upgraded(cloud: Cloud, identifier: ResourceId) -> None:
    """Begin to follow the image of a scale set whose policy asks for it; one that is followed is left at that."""
    keep_watch(cloud, identifier, _UPGRADES)


def _policy(scale_set: Resource) -> dict[str, Any]:
    policy: dict[str, Any] = (scale_set.properties.get("upgradePolicy") or {}).get("automaticOSUpgradePolicy") or {}
    return policy


def _interval(cloud: Cloud, scale_set: Resource) -> float | None:
    del cloud
    return _LOOK_SECONDS if _policy(scale_set).get("enableAutomaticOSUpgrade") else None


def _look(cloud: Cloud, scale_set: Resource) -> None:
    if _newer_image(cloud, scale_set) is None:
        return
    # As an operation on the scale set, so that nobody changes it meanwhile.
    with cloud.operations.turns.ask(scale_set.id.key):
        now = cloud.store.find(scale_set.id)
        target = _newer_image(cloud, now) if now else None
        if now and target and not cloud.closing.is_set():
            _upgrade(cloud, now, target)


def _newer_image(cloud: Cloud, scale_set: Resource) -> dict[str, Any] | None:
    """Give the image that instances are to be brought to, or None when there is nothing to do."""
    if scale_set.state != "Succeeded" or is_rolling(scale_set) or not _interval(cloud, scale_set):
        return None
    try:
        target = newest_image(cloud, scale_set)
    except ArmError:
        return None  # there is no version any more, or none yet
    if not target.get("exactVersion") or target["exactVersion"] == scale_set.hidden.get("os_upgrade_tried"):
        return None
    return target if outdated_instances(cloud, scale_set, target) else None


def _upgrade(cloud: Cloud, scale_set: Resource, target: dict[str, Any]) -> None:
    policy = _policy(scale_set)
    own = scale_set.properties["upgradePolicy"].get("rollingUpgradePolicy") or {}
    rules = {**ROLLING_DEFAULTS, **(own if policy.get("useRollingUpgradePolicy") else {})}
    with cloud.store.changing(scale_set.id) as found:
        if found:
            found.hidden["os_upgrade_tried"] = target["exactVersion"]
    begin(cloud, scale_set.id, started_by="Platform", os_image=target)
    old = outdated_instances(cloud, scale_set, target)
    try:
        roll(cloud, scale_set.id, old, bring_to(target), rules)
    except ArmError as error:
        logger.warning("the automatic OS upgrade of %s failed: %s", scale_set.id, error)
        if not policy.get("disableAutomaticRollback"):
            _roll_back(cloud, scale_set, old, target)


def _roll_back(cloud: Cloud, scale_set: Resource, old: Sequence[Resource], target: dict[str, Any]) -> None:
    """Give the instances that are not well with a version the one that they had before."""
    done, failed = 0, 0
    for before in old:
        now = cloud.store.find(before.id)
        if (
            now is None
            or image_of(now).get("exactVersion") != target["exactVersion"]
            or _is_well(cloud, scale_set, now)
        ):
            continue
        try:
            on_each(cloud, [now], bring_to(image_of(before)))
            done += 1
        except ArmError as error:
            logger.warning("%s could not be given its old version: %s", now.id, error)
            failed += 1
    note_rollback(cloud, scale_set.id, done, failed)


def _is_well(cloud: Cloud, scale_set: Resource, instance: Resource) -> bool:
    return instance.state == "Succeeded" and healths_of(cloud, scale_set, [instance]) == [HEALTHY]


_UPGRADES = Watch("automatic OS upgrades", _interval, lambda: _look)
