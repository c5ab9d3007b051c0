"""A PUT of one instance: its protection, its data disks. Source: Azure OpenAPI, ComputeRP, and recorded exchanges.

An update that changes more than the protection gives the instance a model of its own, which it keeps until it is
upgraded. Tags are those of the scale set, whatever an update says (recorded so).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines import power
from verified_images.emulator.compute.machines.disks import (
    disk_id,
    disks_of,
    let_go_of_disk,
    plug_disks,
    provide_disks,
    unplug_disk,
)
from verified_images.emulator.compute.machines.guests import machine_size
from verified_images.emulator.compute.machines.storage import fill_data_disks
from verified_images.emulator.compute.scale_sets.instance_views import shown_instance
from verified_images.emulator.compute.scale_sets.instances import find_instance
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.uniform_instances import TYPE
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.preconditions import check_preconditions
from verified_images.emulator.request_bodies import read_body
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource

_OWN = ("hardwareProfile", "storageProfile", "osProfile", "networkProfileConfiguration", "diagnosticsProfile")
_IMMUTABLE = {"osProfile": ("computerName", "adminUsername"), "hardwareProfile": ("vmSize",)}


def put_instance(cloud: Cloud, request: Request) -> Answer:
    """Answer a PUT of an instance, which must exist."""
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        identifier = scale_set.id.child("virtualMachines", request.parameters["instance"])
        instance = find_instance(cloud, identifier)
        if is_flexible(scale_set):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'Put on Virtual Machine Scale Set VM Instance' is not allowed on Virtual Machine Scale Set "
                f"'{scale_set.id.name}' since its orchestration mode is 'Flexible'.",
            )
        _check_not_deleting(scale_set, instance)
        check_preconditions(request, instance)
        before = [disk_id(disk) for disk in disks_of(instance) if disk_id(disk)]
        _change(cloud, instance, read_body(TYPE, request))
        instance.properties["provisioningState"] = "Updating"
        instance.body["etag"] = _next_etag(instance)
        cloud.store.put(instance)
        shown = shown_instance(cloud, scale_set, instance, request)
    work = Work(
        lambda: _apply(cloud, instance.id, before),
        on=instance.id,
        conclude=lambda succeeded: power.conclude(cloud, instance.id, succeeded=succeeded),
    )
    started = cloud.operations.start(request, f"{TYPE}/write", instance.location, work, track=COMPUTE, slow=True)
    return Answer(200, shown, started.status_header)


def _check_not_deleting(scale_set: Resource, instance: Resource) -> None:
    if "Deleting" in {scale_set.state, instance.state}:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Operation 'Put on Virtual Machine Scale Set VM Instance' is not allowed on Virtual Machine Scale Set "
            f"'{scale_set.id.name}' since it is marked for deletion. For more information on your operations, please "
            "refer to https://aka.ms/activitylog.",
        )


def _next_etag(instance: Resource) -> str:
    last = str(instance.body.get("etag", '"0"')).strip('"')
    return f'"{int(last) + 1}"'


def _change(cloud: Cloud, instance: Resource, body: dict[str, Any]) -> None:
    given, old = dict(body.get("properties") or {}), instance.properties
    for key, names in _IMMUTABLE.items():
        for name in names:
            value = (given.get(key) or {}).get(name)
            if value is not None and value != (old.get(key) or {}).get(name):
                raise ArmError(
                    409,
                    "PropertyChangeNotAllowed",
                    f"Changing property '{key}.{name}' is not allowed.",
                    target=f"{key}.{name}",
                )
    if "protectionPolicy" in given:
        old["protectionPolicy"] = given["protectionPolicy"] or {}
    disks = (given.get("storageProfile") or {}).get("dataDisks")
    if disks is not None:
        size = find_size(machine_size(instance))
        old["storageProfile"]["dataDisks"] = fill_data_disks(cloud, instance, _kept(old, disks), size)
    if any(given.get(key) for key in _OWN):
        instance.hidden["own_model"] = True


def _kept(old: dict[str, Any], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the disks that are there already, by name or by LUN, keep what the update does not say of them."""
    disks = old["storageProfile"].get("dataDisks") or []
    present = {key: disk for disk in disks for key in (disk["name"].lower(), disk["lun"])}
    kept = []
    for disk in given:
        if not disk.get("toBeDetached"):
            known = present.get(disk["name"].lower() if disk.get("name") else disk.get("lun"), {})
            managed = {**(known.get("managedDisk") or {}), **(disk.get("managedDisk") or {})}
            kept.append({**known, **disk, **({"managedDisk": managed} if managed else {})})
    return kept


def _apply(cloud: Cloud, identifier: ResourceId, before: list[str]) -> None:
    instance = check_wanted(cloud, identifier)
    provide_disks(cloud, instance)
    present = {disk_id(disk).lower() for disk in disks_of(instance)}
    for gone in before:
        if gone.lower() not in present:
            unplug_disk(cloud, instance, gone)
            let_go_of_disk(cloud, instance, {"managedDisk": {"id": gone}}, delete=False)
    plug_disks(cloud, instance)
