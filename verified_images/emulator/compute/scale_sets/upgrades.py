"""Bringing instances to a scale set's latest model, and giving them a new disk. Source: recorded exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.machines import power
from verified_images.emulator.compute.machines.disks import disk_id, let_go_of_disk, provide_disks
from verified_images.emulator.compute.machines.guests import boot_guest, machine_size, power_of, set_power
from verified_images.emulator.compute.scale_sets.extensions import forget_extensions, run_extensions
from verified_images.emulator.compute.scale_sets.flexible_instances import flexible_model
from verified_images.emulator.compute.scale_sets.instances import scale_set_id
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.uniform_instances import new_disk_name, uniform_model
from verified_images.emulator.lifecycle import check_wanted

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


def reimage(cloud: Cloud, instance: Resource) -> None:
    """Replace an instance's OS disk by a new one of its image, and boot it."""
    cloud.hypervisor.forget(instance.hidden["guest"])
    set_power(cloud, instance, "stopped")
    disk = instance.properties["storageProfile"]["osDisk"]
    let_go_of_disk(cloud, instance, disk, delete=True)
    with cloud.store.changing(instance.id) as found:
        if found:
            _forget_disk(found, found.properties["storageProfile"]["osDisk"])
    _boot(cloud, instance)


def reimage_all(cloud: Cloud, instance: Resource) -> None:
    """Replace all of an instance's disks, data disks that were made with it too, and boot it."""
    cloud.hypervisor.forget(instance.hidden["guest"])
    set_power(cloud, instance, "stopped")
    made = [
        disk
        for disk in instance.properties["storageProfile"].get("dataDisks") or []
        if disk.get("createOption") != "Attach"
    ]
    for disk in made:
        let_go_of_disk(cloud, instance, disk, delete=True)
    names = {disk["name"] for disk in made}
    with cloud.store.changing(instance.id) as found:
        for disk in (found.properties["storageProfile"].get("dataDisks") or []) if found else []:
            if disk["name"] in names:
                disk["managedDisk"].pop("id", None)
    reimage(cloud, check_wanted(cloud, instance.id))


def _forget_disk(instance: Resource, disk: dict[str, Any]) -> None:
    disk["name"] = new_disk_name(instance.id)
    disk["managedDisk"].pop("id", None)


def _boot(cloud: Cloud, instance: Resource) -> None:
    fresh = check_wanted(cloud, instance.id)
    provide_disks(cloud, fresh)
    forget_extensions(cloud, fresh)
    boot_guest(cloud, fresh, nic=power.primary_interface(cloud, fresh))
    _run_extensions(cloud, fresh)


def _run_extensions(cloud: Cloud, instance: Resource) -> None:
    identifier = scale_set_id(instance)
    scale_set, now = cloud.store.find(identifier) if identifier else None, check_wanted(cloud, instance.id)
    if scale_set is not None and power_of(cloud, now) == "running":
        run_extensions(cloud, scale_set, now)


def is_latest(scale_set: Resource, instance: Resource) -> bool:
    """Tell whether an instance has its scale set's latest model and nothing of its own."""
    return bool(scale_set.hidden["model"] == instance.hidden.get("model") and not instance.hidden.get("own_model"))


def upgrade(cloud: Cloud, instance: Resource) -> None:
    """Give an instance its scale set's latest model; another image replaces its OS disk, another size restarts it."""
    identifier = scale_set_id(instance)
    scale_set = cloud.store.find(identifier) if identifier else None
    if scale_set is None or is_latest(scale_set, instance):
        return
    size, image = machine_size(instance), image_of(instance)
    with cloud.store.changing(instance.id) as found:
        if found is None:
            return
        if is_flexible(scale_set):
            model = flexible_model(cloud, scale_set, found)
        else:
            model = uniform_model(cloud, scale_set, found.id)
        _take_model(found, model, scale_set)
        another_image, another_size = image_of(found) != image, machine_size(found) != size
    if another_image:
        reimage(cloud, check_wanted(cloud, instance.id))
        return
    if another_size:
        power.restart_on_new_hardware(cloud, check_wanted(cloud, instance.id))
    _run_extensions(cloud, instance)


def image_of(instance: Resource) -> dict[str, Any]:
    """Give the image reference of an instance, with the exact version that it was made from."""
    return dict(instance.properties["storageProfile"]["imageReference"])


def _take_model(instance: Resource, model: dict[str, Any], scale_set: Resource) -> None:
    old = instance.properties
    disk = {**model["properties"]["storageProfile"]["osDisk"], "name": old["storageProfile"]["osDisk"]["name"]}
    disk["managedDisk"] = {**disk["managedDisk"], "id": disk_id(old["storageProfile"]["osDisk"])}
    names = ("vmId", "timeCreated", "networkProfile", "provisioningState", "protectionPolicy")
    kept = {key: old[key] for key in names if key in old}
    storage = {**model["properties"]["storageProfile"], "osDisk": disk}
    zones = {"zones": instance.body["zones"]} if instance.body.get("zones") else {}
    etag = str(instance.body.get("etag", '"1"')).strip('"')
    properties = {**model["properties"], **kept, "storageProfile": storage}
    instance.body = {**model, **zones, "etag": f'"{int(etag) + 1}"', "properties": properties}
    instance.hidden |= {key: scale_set.hidden[key] for key in ("secrets", "generation", "model")}
    instance.hidden.pop("own_model", None)
