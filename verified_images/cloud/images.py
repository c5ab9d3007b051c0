"""Managed images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm, Body, Operation
    from verified_images.cloud.place import Place


def find_image(arm: Arm, image_id: str) -> Mapping[str, Any] | None:
    """Return a managed image, in wire shape, or None where there is none of that id."""
    parsed = parse_id(image_id)
    images = arm.connection.compute_of(parsed.subscription).images
    return arm.find("get image", parsed.name, lambda: images.get(parsed.group, parsed.name))


def begin_image_from_machine(  # noqa: PLR0913 - what an image is made of
    arm: Arm, place: Place, name: str, *, machine_id: str, generation: str, zone_resilient: bool = False
) -> Operation[object]:
    """Begin to make a managed image from a generalized virtual machine in the same location."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {"sourceVirtualMachine": {"id": machine_id}, "hyperVGeneration": generation},
    }
    if zone_resilient:
        body["properties"]["storageProfile"] = {"zoneResilient": True}
    images = arm.connection.compute.images
    return arm.begin(
        "create image",
        name,
        lambda: images.begin_create_or_update(place.group, name, body),
        look=arm.when_provisioned("image", name, lambda: images.get(place.group, name)),
    )


def create_image_from_blob(arm: Arm, place: Place, name: str, uri: str, *, generation: str = "V1") -> None:
    """Make a managed image from a generalized VHD, so that a machine can be made from it."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "properties": {
            "hyperVGeneration": generation,
            "storageProfile": {
                "osDisk": {
                    "osType": "Linux",
                    "osState": "Generalized",
                    "blobUri": uri,
                    "storageAccountType": "Standard_LRS",
                }
            },
        },
    }
    images = arm.connection.compute.images
    arm.run("create image", name, lambda: images.begin_create_or_update(place.group, name, body))


def delete_image(arm: Arm, image_id: str) -> None:
    """Delete a managed image."""
    parsed = parse_id(image_id)
    images = arm.connection.compute_of(parsed.subscription).images
    arm.run("delete image", parsed.name, lambda: images.begin_delete(parsed.group, parsed.name))
