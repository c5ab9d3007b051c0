"""The instances of a scale set in either orchestration mode: found, added, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.scale_sets.flexible_instances import add_flexible, remove_flexible
from verified_images.emulator.compute.scale_sets.membership import members
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.scale_sets.uniform_instances import (
    TYPE,
    add_uniform,
    remove_uniform,
    uniform_instances,
)
from verified_images.emulator.lifecycle import check_group_exists

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource


def instances_of(cloud: Cloud, scale_set: Resource) -> list[Resource]:
    """Give the instances of a scale set, oldest first; those of a flexible one are virtual machines."""
    return members(cloud, scale_set) if is_flexible(scale_set) else uniform_instances(cloud, scale_set.id)


def instance_id(instance: Resource) -> str:
    """Give what a scale set's calls name an instance by: a number, or the name of the virtual machine."""
    return instance.id.name


def scale_set_id(instance: Resource) -> ResourceId | str | None:
    """Give the id of an instance's scale set."""
    if instance.id.type.lower() == TYPE.lower():
        return instance.id.parent
    return (instance.properties.get("virtualMachineScaleSet") or {}).get("id")


def find_instance(cloud: Cloud, identifier: ResourceId) -> Resource:
    """Give an instance by its id under the scale set.

    Raises:
        ArmError: 404: the group, the scale set or the instance does not exist.
    """
    check_group_exists(cloud, identifier)
    parent = identifier.parent
    scale_set = cloud.store.find(parent) if parent else None
    if parent is not None and scale_set is None:
        raise arm_errors.resource_not_found(parent)
    if scale_set is not None and is_flexible(scale_set):
        wanted = identifier.name.lower()
        found = next((each for each in members(cloud, scale_set) if each.id.name.lower() == wanted), None)
    else:
        found = cloud.store.find(identifier)
    if found is None:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return found


def add_instances(cloud: Cloud, scale_set: Resource, count: int) -> None:
    """Make instances and boot them side by side.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    if is_flexible(scale_set):
        add_flexible(cloud, scale_set, count)
    else:
        add_uniform(cloud, scale_set, count)


def remove_instances(cloud: Cloud, instances: list[Resource]) -> None:
    """Delete instances with what belongs to them, whatever is being done on them."""
    remove_uniform(cloud, [each for each in instances if each.id.type.lower() == TYPE.lower()])
    remove_flexible(cloud, [each for each in instances if each.id.type.lower() != TYPE.lower()])
