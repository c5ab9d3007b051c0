"""Bringing a scale set's instances to its latest model: one, all, or a batch after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import power
from verified_images.emulator.compute.guests import boot_guest, machine_size, set_power
from verified_images.emulator.compute.machine_disks import disk_id, let_go_of_disk, provide_disks
from verified_images.emulator.compute.scale_set_instances import instance_model, instances_of, new_disk_name, on_each
from verified_images.emulator.lifecycle import check_wanted

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_DEFAULT_PERCENT = 20


def reimage(cloud: Cloud, instance: Resource) -> None:
    """Replace an instance's OS disk by a new one of its image, and boot it."""
    cloud.hypervisor.forget(instance.hidden["guest"])
    set_power(cloud, instance, "stopped")
    disk = instance.properties["storageProfile"]["osDisk"]
    let_go_of_disk(cloud, instance, disk, delete=True)
    with cloud.store.changing(instance.id) as found:
        if found:
            fresh = found.properties["storageProfile"]["osDisk"]
            fresh["name"] = new_disk_name(found.id)
            fresh["managedDisk"].pop("id", None)
    _boot(cloud, instance)


def _boot(cloud: Cloud, instance: Resource) -> None:
    fresh = check_wanted(cloud, instance.id)
    provide_disks(cloud, fresh)
    boot_guest(cloud, fresh, nic=power.primary_interface(cloud, fresh))


def upgrade(cloud: Cloud, instance: Resource) -> None:
    """Give an instance its scale set's latest model; another image replaces its OS disk, another size restarts it."""
    scale_set = cloud.store.find(instance.id.parent) if instance.id.parent else None
    if scale_set is None or scale_set.hidden["model"] == instance.hidden["model"]:
        return
    size, image = machine_size(instance), _image_of(instance)
    with cloud.store.changing(instance.id) as found:
        if found is None:
            return
        _take_model(found, instance_model(cloud, scale_set, found.id), scale_set)
        another_image, another_size = _image_of(found) != image, machine_size(found) != size
    if another_image:
        reimage(cloud, check_wanted(cloud, instance.id))
    elif another_size:
        power.restart_on_new_hardware(cloud, check_wanted(cloud, instance.id))


def _image_of(instance: Resource) -> dict[str, Any]:
    return dict(instance.properties["storageProfile"]["imageReference"])


def _take_model(instance: Resource, model: dict[str, Any], scale_set: Resource) -> None:
    old = instance.properties
    disk = {**model["properties"]["storageProfile"]["osDisk"], "name": old["storageProfile"]["osDisk"]["name"]}
    disk["managedDisk"] = {**disk["managedDisk"], "id": disk_id(old["storageProfile"]["osDisk"])}
    kept = {key: old[key] for key in ("vmId", "timeCreated", "networkProfile", "provisioningState")}
    storage = {**model["properties"]["storageProfile"], "osDisk": disk}
    instance.body = {**model, "properties": {**model["properties"], **kept, "storageProfile": storage}}
    instance.hidden |= {key: scale_set.hidden[key] for key in ("secrets", "generation", "model")}


def upgrade_all(cloud: Cloud, scale_set: Resource) -> None:
    """Upgrade all instances that have an older model, at once or, under a rolling policy, a batch after another.

    Raises:
        ArmError: an upgrade failed, or more instances were unhealthy afterwards than a rolling policy allows.
    """
    old = [each for each in instances_of(cloud, scale_set) if each.hidden["model"] != scale_set.hidden["model"]]
    policy = scale_set.properties["upgradePolicy"]
    if policy["mode"] != "Rolling":
        on_each(cloud, old, upgrade)
        return
    rules = policy.get("rollingUpgradePolicy") or {}
    size = max(1, len(old) * int(rules.get("maxBatchInstancePercent", _DEFAULT_PERCENT)) // 100)
    for start in range(0, len(old), size):
        _upgrade_batch(cloud, old[start : start + size], int(rules.get("maxUnhealthyUpgradedInstancePercent", 20)))


def _upgrade_batch(cloud: Cloud, batch: list[Resource], allowed_percent: int) -> None:
    try:
        on_each(cloud, batch, upgrade)
    except ArmError as error:
        failed = [each for each in batch if (found := cloud.store.find(each.id)) and found.state == "Failed"]
        percent = 100 * len(failed) // len(batch)
        if percent > allowed_percent:
            raise ArmError(
                409,
                "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
                "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in the "
                f"RollingUpgradePolicy. {percent}% of instances are in an unhealthy state after being upgraded - more "
                f"than the threshold of {allowed_percent}%. The most impactful error is: {error.message} First failed "
                f"instance ID is: {failed[0].id.name}.",
            ) from error
