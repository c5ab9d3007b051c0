"""Frozen disks: the read-only files that images consist of, kept as long as a resource stands on them.

Freezing a disk copies nothing: its file becomes the image, and the disk goes on as a new file on top of it. What is
frozen may itself stand on what was frozen before. A disk, snapshot, image or version therefore lists all frozen files
below it in ``hidden["files"]``, the nearest first; a file goes when the last resource that lists it does.
"""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import resource_not_found
from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.turns import Turn

_DISKS = "disks"
_IMAGES = "images"
_VHDS = "vhds"


def new_disk_path(cloud: Cloud) -> Path:
    """Give a path for the file of a new disk."""
    return _unused(cloud.folder / _DISKS, ".disk")


def new_vhd_path(cloud: Cloud) -> Path:
    """Give a path for a VHD that is to be downloaded or uploaded."""
    return _unused(cloud.folder / _VHDS, ".vhd")


def _unused(folder: Path, suffix: str) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{uuid.uuid4()}{suffix}"


def files_of(resource: Resource, lun: int | None = None) -> list[str]:
    """Give the frozen files that a resource stands on, the nearest first; with ``lun``, an image's data disk does."""
    if lun is None:
        return list(resource.hidden.get("files") or [])
    return next((list(disk["files"]) for disk in _data_disks(resource) if disk["lun"] == lun), [])


def _all_files_of(resource: Resource) -> list[str]:
    return files_of(resource) + [file for disk in _data_disks(resource) for file in disk["files"]]


def _data_disks(resource: Resource) -> list[dict[str, Any]]:
    return resource.hidden.get("data_disks") or []


def _hold(holder: Resource, files: list[str], lun: int | None) -> None:
    if lun is None:
        holder.hidden["files"] = files
        return
    others = [disk for disk in _data_disks(holder) if disk["lun"] != lun]
    holder.hidden["data_disks"] = [*others, {"lun": lun, "files": files}]


@dataclass(frozen=True, slots=True)
class Part:
    """One disk of what is made: the OS disk, or the data disk at ``lun``, of a resource or a data disk of that."""

    source: ResourceId
    source_lun: int | None = None
    lun: int | None = None


def take_content(cloud: Cloud, part: Part, holder: ResourceId) -> int:
    """Let ``holder``, which is in the store, stand on what the source holds now, and give its size in GiB.

    Of a disk that is what is frozen now; images, versions and snapshots are frozen already.

    Raises:
        ArmError: 404: there is no such source any more.
        HypervisorError: a guest is writing to it.
    """
    with cloud.store.lock:
        found = cloud.store.find(part.source)
        if found is None or found.state == "Deleting":
            raise resource_not_found(part.source)
        is_disk = "path" in found.hidden
        if not is_disk:
            with cloud.store.changing(holder) as standing:
                if standing:
                    _hold(standing, files_of(found, part.source_lun), part.lun)
    if is_disk:
        freeze(cloud, part.source, holder, part.lun)
    if part.source_lun is not None:
        return next(int(disk["size_gb"]) for disk in _data_disks(found) if disk["lun"] == part.source_lun)
    return int(found.hidden.get("size_gb") or found.properties["diskSizeGB"])


def freeze(cloud: Cloud, disk: ResourceId, holder: ResourceId, lun: int | None = None) -> None:
    """Freeze what a disk holds now; ``holder``, which is in the store, stands on it from then on, as does the disk.

    Not while an operation runs on the machine that has the disk: this waits for its end.

    Raises:
        ArmError: 404: there is no such disk any more.
        HypervisorError: a guest is writing to it.
    """
    with _turn_of_owner(cloud, disk):
        _freeze(cloud, disk, holder, lun)


def freeze_own(cloud: Cloud, disk: ResourceId) -> None:
    """Freeze what a disk holds now, as part of an operation on the disk.

    Raises:
        ArmError: 404: there is no such disk any more.
        HypervisorError: a guest is writing to it.
    """
    found = cloud.store.find(disk)
    with _turn_of_owner(cloud, disk) if found and found.body.get("managedBy") else nullcontext():
        _freeze(cloud, disk, disk)


def _freeze(cloud: Cloud, disk: ResourceId, holder: ResourceId, lun: int | None = None) -> None:
    image = _unused(cloud.folder / _IMAGES, ".image")
    # Written down first, so that whatever happens no file is there that nobody knows of.
    path, files = _stand_on(cloud, disk, str(image))
    with cloud.store.changing(holder) as found:
        if found:
            _hold(found, files, lun)
    try:
        cloud.hypervisor.freeze_disk(path, image)
    except BaseException:
        for resource, its_lun in ((disk, None), (holder, lun)):
            with cloud.store.changing(resource) as found:
                if found:
                    _hold(found, [file for file in files_of(found, its_lun) if file != str(image)], its_lun)
        raise


def import_vhd(cloud: Cloud, vhd: Path, holder: ResourceId) -> None:
    """Let ``holder``, which is in the store, stand on an image of what a VHD holds.

    Raises:
        HypervisorError: it is no VHD that Azure takes.
    """
    image = _unused(cloud.folder / _IMAGES, ".image")
    with cloud.store.changing(holder) as found:
        if found:
            _hold(found, [str(image)], None)
    try:
        cloud.hypervisor.import_image(vhd, image)
    except BaseException:
        with cloud.store.changing(holder) as found:
            if found:
                _hold(found, [], None)
        raise


def _stand_on(cloud: Cloud, disk: ResourceId, image: str) -> tuple[Path, list[str]]:
    with cloud.store.changing(disk) as found:
        if found is None:
            raise resource_not_found(disk)
        found.hidden["files"] = [image, *files_of(found)]
        return Path(found.hidden["path"]), found.hidden["files"]


def _turn_of_owner(cloud: Cloud, disk: ResourceId) -> Turn:
    found = cloud.store.find(disk)
    owner = str((found.body.get("managedBy") if found else None) or disk)
    return cloud.operations.turns.ask(ResourceId.parse(owner).key)


def grow(cloud: Cloud, disk: ResourceId, size_bytes: int) -> None:
    """Let a disk be larger from its guest's next start on; one that is as large already stays as it is.

    As part of an operation on the disk, or on the machine that has it.
    """
    found = cloud.store.find(disk)
    if found is None or cloud.hypervisor.disk_size(Path(found.hidden["path"])) >= size_bytes:
        return
    _freeze(cloud, disk, disk)
    larger = new_disk_path(cloud)
    with cloud.store.changing(disk) as found:
        if found is None:
            return
        cloud.hypervisor.create_disk(larger, base=Path(files_of(found)[0]), size_bytes=size_bytes)
        before, found.hidden["path"] = found.hidden["path"], str(larger)
    cloud.hypervisor.delete_disk(Path(before))


def release(cloud: Cloud, resource: Resource) -> None:
    """Delete the frozen files that no resource but this one, which goes away, stands on."""
    with cloud.store.lock:
        kept = {
            file for other in cloud.store.select() if other.id.key != resource.id.key for file in _all_files_of(other)
        }
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden |= {"files": [], "data_disks": []}
    for file in _all_files_of(resource):
        if file not in kept:
            cloud.hypervisor.delete_disk(Path(file))


def remove_strays(cloud: Cloud) -> None:
    """Delete the files of disks and images that no resource names: what a killed process left half made."""
    named = set(_named_files(cloud))
    for folder in (_DISKS, _IMAGES, _VHDS):
        for file in (cloud.folder / folder).glob("*"):
            if file.name.startswith(".") or (folder == _VHDS and str(file) not in named):
                file.unlink()
            elif str(file) not in named:
                cloud.hypervisor.delete_disk(file)


def _named_files(cloud: Cloud) -> Iterator[str]:
    for resource in cloud.store.select():
        yield from _all_files_of(resource)
        if access := resource.hidden.get("access"):
            yield access["file"]
        if path := resource.hidden.get("path"):
            yield path
