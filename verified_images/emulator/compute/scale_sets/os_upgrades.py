"""Bringing a scale set's instances to the newest version of the image that its model names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.images.references import resolve_image
from verified_images.emulator.compute.scale_sets.instances import instances_of, scale_set_id
from verified_images.emulator.compute.scale_sets.rolling_upgrades import protected
from verified_images.emulator.compute.scale_sets.upgrades import image_of, is_latest, reimage, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


def newest_image(cloud: Cloud, scale_set: Resource) -> dict[str, Any]:
    """Give the image reference of a scale set's model, with the version that it stands for now.

    Raises:
        ArmError: there is no such image.
    """
    reference = dict(scale_set.properties["virtualMachineProfile"]["storageProfile"]["imageReference"])
    newest = resolve_image(cloud, reference, scale_set.location).exact_version
    return {**reference, **({"exactVersion": newest} if newest else {})}


def outdated_instances(cloud: Cloud, scale_set: Resource, target: dict[str, Any]) -> list[Resource]:
    """Give the instances that are of another image or version, less those that are protected."""
    found = instances_of(cloud, scale_set)
    return [each for each in found if not protected(each) and {**image_of(each), **target} != image_of(each)]


def bring_to(target: dict[str, Any]) -> Callable[[Cloud, Resource], None]:
    """Give what brings an instance to an image: the latest model where it has an older one, else a new disk."""

    def change(cloud: Cloud, instance: Resource) -> None:
        identifier = scale_set_id(instance)
        scale_set = cloud.store.find(identifier) if identifier else None
        if scale_set is not None and not is_latest(scale_set, instance):
            upgrade(cloud, instance)
            return
        with cloud.store.changing(instance.id) as found:
            if found:
                found.properties["storageProfile"]["imageReference"] = dict(target)
        reimage(cloud, instance)

    return change
