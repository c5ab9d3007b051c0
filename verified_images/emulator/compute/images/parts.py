"""The disks that an image or a gallery version is made of: an OS disk, and data disks by LUN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.disks.frozen_files import Part, take_content
from verified_images.emulator.compute.images.source_images import SourceDataDisk
from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


def note_parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Give parts as they are kept with the resource that is to be made of them."""
    return [{"source": str(part.source), "source_lun": part.source_lun, "lun": part.lun} for part in parts]


def parts_of(resource: Resource) -> list[Part]:
    """Give the parts that were kept with a resource."""
    noted = resource.hidden.get("parts") or []
    return [Part(ResourceId.parse(part["source"]), part["source_lun"], part["lun"]) for part in noted]


def take_parts(cloud: Cloud, holder: Resource) -> dict[int | None, int]:
    """Let a new image or version stand on its parts; give their sizes in GiB by LUN, the OS disk's by None.

    Raises:
        ArmError: 404: a source is gone.
        HypervisorError: a guest is writing to one.
    """
    sizes = {part.lun: take_content(cloud, part, holder.id) for part in parts_of(holder)}
    with cloud.store.changing(holder.id) as found:
        if found:
            found.hidden |= {"ready": True, "size_gb": sizes.get(None, 0)}
            for disk in found.hidden.get("data_disks") or []:
                disk["size_gb"] = sizes[disk["lun"]]
            found.hidden["data_disks"] = sorted(found.hidden.get("data_disks") or [], key=lambda disk: disk["lun"])
    return sizes


def parts_of_image(image: Resource) -> list[Part]:
    """Give an image's or version's disks as the parts of another one."""
    data_disks = [Part(image.id, disk["lun"], disk["lun"]) for disk in image.hidden.get("data_disks") or []]
    return [Part(image.id), *data_disks]


def parts_of_machine(machine: Resource) -> list[Part]:
    """Give a machine's managed disks as the parts of an image."""
    profile = machine.properties["storageProfile"]
    os_disk = Part(ResourceId.parse(profile["osDisk"]["managedDisk"]["id"]))
    data_disks = [
        Part(ResourceId.parse(disk["managedDisk"]["id"]), lun=disk["lun"]) for disk in profile.get("dataDisks") or []
    ]
    return [os_disk, *data_disks]


def source_data_disks(
    image: Resource, caching: dict[int, str], encryption_set: Callable[[int], str] = lambda _: ""
) -> tuple[SourceDataDisk, ...]:
    """Give the data disks that a machine made from an image has."""
    return tuple(
        SourceDataDisk(
            disk["lun"],
            disk["size_gb"],
            tuple(disk["files"]),
            caching.get(disk["lun"], "None"),
            encryption_set(disk["lun"]),
        )
        for disk in image.hidden.get("data_disks") or []
    )
