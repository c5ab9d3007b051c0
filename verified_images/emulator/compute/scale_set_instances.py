"""The instances of a uniform scale set: made, worked on, removed. Source: recorded exchanges."""

from __future__ import annotations

import logging
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import machine_model, power
from verified_images.emulator.compute.guests import boot_guest
from verified_images.emulator.compute.image_references import resolve_image
from verified_images.emulator.compute.machine_disks import let_go_of_disks, provide_disks
from verified_images.emulator.compute.scale_set_cards import make_cards
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.lifecycle import check_group_exists, check_wanted, set_state
from verified_images.emulator.operations import PREEMPTED
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId

logger = logging.getLogger(__name__)

TYPE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"


def instances_of(cloud: Cloud, scale_set: Resource) -> list[Resource]:
    """Give the instances of a scale set, oldest first."""
    return sorted(cloud.store.select(TYPE, under=scale_set.id), key=lambda instance: int(instance.id.name))


def find_instance(cloud: Cloud, identifier: ResourceId) -> Resource:
    """Give an instance.

    Raises:
        ArmError: 404: the group, the scale set or the instance does not exist.
    """
    check_group_exists(cloud, identifier)
    parent = identifier.parent
    if parent is not None and cloud.store.find(parent) is None:
        raise arm_errors.resource_not_found(parent)
    instance = cloud.store.find(identifier)
    if instance is None:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return instance


def add_instances(cloud: Cloud, scale_set: Resource, count: int) -> None:
    """Make instances and boot them side by side.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    made: list[Resource] = []
    try:
        for _ in range(count):
            made.append(_make_instance(cloud, scale_set.id))  # noqa: PERF401 - those made are wanted when one fails
    except ArmError:
        remove_instances(cloud, made)
        raise
    on_each(cloud, made, _boot_first)


def on_each(cloud: Cloud, instances: list[Resource], work: Callable[[Cloud, Resource], None]) -> None:
    """Do something on instances side by side, each in its turn; one that is deleted meanwhile is left out.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    failures: list[ArmError] = []
    threads = [
        threading.Thread(
            target=_work_on, args=(cloud, each, work, failures), name=f"instance {each.id.name}", daemon=True
        )
        for each in instances
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _work_on(
    cloud: Cloud, instance: Resource, work: Callable[[Cloud, Resource], None], failures: list[ArmError]
) -> None:
    succeeded = False
    with cloud.operations.turns.ask(instance.id.key):
        try:
            work(cloud, check_wanted(cloud, instance.id))
            succeeded = True
        except ArmError as error:
            if error.code != PREEMPTED:
                failures.append(error)
        except HypervisorError as error:
            failures.append(ArmError(409, "InternalExecutionError", str(error)))
        except Exception:
            logger.exception("work on %s failed", instance.id)
            failures.append(ArmError(500, "InternalServerError", "An unexpected error occurred."))
        power.conclude(cloud, instance.id, succeeded=succeeded)


def _make_instance(cloud: Cloud, scale_set: ResourceId) -> Resource:
    with cloud.store.lock:
        model = check_wanted(cloud, scale_set)
        number = int(model.hidden["next"])
        model.hidden["next"] = number + 1
        cloud.store.put(model)
        identifier = scale_set.child("virtualMachines", str(number))
        instance = Resource(identifier, instance_model(cloud, model, identifier))
        instance.hidden = {
            "guest": instance.properties["vmId"],
            "power": "starting",
            **{key: model.hidden[key] for key in ("secrets", "generation", "model")},
        }
        cloud.store.put(instance)
        try:
            for part in make_cards(cloud, model, instance):
                cloud.store.put(part)
        except ArmError:
            _forget(cloud, instance)
            raise
    return instance


def _boot_first(cloud: Cloud, instance: Resource) -> None:
    provide_disks(cloud, instance)
    boot_guest(cloud, instance, nic=power.primary_interface(cloud, instance))


def instance_model(cloud: Cloud, scale_set: Resource, identifier: ResourceId) -> dict[str, Any]:
    """Give the body of an instance as the scale set's model says it is."""
    profile = scale_set.properties["virtualMachineProfile"]
    storage, os_profile = dict(profile["storageProfile"]), dict(profile["osProfile"])
    reference = storage["imageReference"]
    source = resolve_image(cloud, reference, scale_set.location)
    if source.exact_version:
        storage["imageReference"] = {**reference, "exactVersion": source.exact_version}
    storage["osDisk"] = {**storage["osDisk"], "name": new_disk_name(identifier)}
    storage["dataDisks"] = machine_model.fill_data_disks(storage.get("dataDisks"), identifier.names[0], premium=True)
    prefix = os_profile.pop("computerNamePrefix")
    cards = profile["networkProfile"]["networkInterfaceConfigurations"]
    properties = {
        "latestModelApplied": True,
        "modelDefinitionApplied": "VirtualMachineScaleSet",
        "resilientVMDeletionStatus": "Disabled",
        "networkProfileConfiguration": {"networkInterfaceConfigurations": cards},
        "provisioningState": "Creating",
        "hardwareProfile": {"vmSize": scale_set.body["sku"]["name"]},
        "vmId": str(uuid.uuid4()),
        "storageProfile": storage,
        "osProfile": {"computerName": f"{prefix}{_base36(int(identifier.name))}", **os_profile},
        "networkProfile": {
            "networkInterfaces": [{"id": str(identifier.child("networkInterfaces", card["name"]))} for card in cards]
        },
        "timeCreated": datetime.now(UTC).isoformat(),
    }
    for key in ("diagnosticsProfile", "securityProfile"):
        if key in profile:
            properties[key] = profile[key]
    return {
        "name": f"{scale_set.id.name}_{identifier.name}",
        "id": str(identifier),
        "type": TYPE,
        "location": scale_set.location,
        **({"tags": scale_set.tags} if scale_set.tags else {}),
        "instanceId": identifier.name,
        "sku": {"name": scale_set.body["sku"]["name"], "tier": scale_set.body["sku"]["tier"]},
        "properties": properties,
        "etag": '"1"',
    }


def new_disk_name(instance: ResourceId) -> str:
    """Give a name for an instance's new OS disk."""
    name = instance.names[0][:20]
    return f"{name}{name}_OS__1_{uuid.uuid4().hex}"


def _base36(number: int) -> str:
    """Write an instance's number as Azure does in host names: six digits to base 36."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text


def remove_instances(cloud: Cloud, instances: list[Resource]) -> None:
    """Stop instances and delete them with their disks and cards, whatever is being done on them."""
    for instance in instances:
        set_state(cloud, instance.id, "Deleting")
        cloud.hypervisor.stop(instance.hidden["guest"], graceful=False)
    for instance in instances:
        with cloud.operations.turns.ask(instance.id.key):
            if found := cloud.store.find(instance.id):
                cloud.hypervisor.forget(found.hidden["guest"])
                let_go_of_disks(cloud, found, delete=True)
                _forget(cloud, found)


def _forget(cloud: Cloud, instance: Resource) -> None:
    with cloud.store.lock:
        for child in cloud.store.select(under=instance.id):
            cloud.store.remove(child.id)
        cloud.store.remove(instance.id)
