"""Frozen disks: the read-only files that images consist of, kept as long as a resource stands on them.

Freezing a disk copies nothing: its file becomes the image, and the disk goes on as a new file on top of it. What is
frozen may itself stand on what was frozen before. A disk, snapshot, image or version therefore lists all frozen files
below it in ``hidden["files"]``, the nearest first; a file goes when the last resource that lists it does.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import resource_not_found
from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.turns import Turn

_DISKS = "disks"
_IMAGES = "images"


def new_disk_path(cloud: Cloud) -> Path:
    """Give a path for the file of a new disk."""
    return _unused(cloud.folder / _DISKS, ".disk")


def _unused(folder: Path, suffix: str) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{uuid.uuid4()}{suffix}"


def files_of(resource: Resource) -> list[str]:
    """Give the frozen files that a resource stands on, the nearest first."""
    return list(resource.hidden.get("files") or [])


def take_content(cloud: Cloud, source: ResourceId, holder: ResourceId) -> int:
    """Let ``holder``, which is in the store, stand on what ``source`` holds now, and give its size in GiB.

    Of a disk that is what is frozen now; images, versions and snapshots are frozen already.

    Raises:
        ArmError: 404: there is no such source any more.
        HypervisorError: a guest is writing to it.
    """
    with cloud.store.lock:
        found = cloud.store.find(source)
        if found is None or found.state == "Deleting":
            raise resource_not_found(source)
        is_disk = "path" in found.hidden
        if not is_disk:
            with cloud.store.changing(holder) as standing:
                if standing:
                    standing.hidden["files"] = files_of(found)
    if is_disk:
        freeze(cloud, source, holder)
    return int(found.hidden.get("size_gb") or found.properties["diskSizeGB"])


def freeze(cloud: Cloud, disk: ResourceId, holder: ResourceId) -> None:
    """Freeze what a disk holds now; ``holder``, which is in the store, stands on it from then on, as does the disk.

    Not while an operation runs on the machine that has the disk: this waits for its end.

    Raises:
        ArmError: 404: there is no such disk any more.
        HypervisorError: a guest is writing to it.
    """
    with _turn_of_owner(cloud, disk):
        _freeze(cloud, disk, holder)


def _freeze(cloud: Cloud, disk: ResourceId, holder: ResourceId) -> None:
    image = _unused(cloud.folder / _IMAGES, ".image")
    # Written down first, so that whatever happens no file is there that nobody knows of.
    path, files = _stand_on(cloud, disk, str(image))
    with cloud.store.changing(holder) as found:
        if found:
            found.hidden["files"] = files
    try:
        cloud.hypervisor.freeze_disk(path, image)
    except BaseException:
        for resource in (disk, holder):
            with cloud.store.changing(resource) as found:
                if found:
                    found.hidden["files"] = [file for file in files_of(found) if file != str(image)]
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
        kept = {file for other in cloud.store.select() if other.id.key != resource.id.key for file in files_of(other)}
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden["files"] = []
    for file in files_of(resource):
        if file not in kept:
            cloud.hypervisor.delete_disk(Path(file))


def remove_strays(cloud: Cloud) -> None:
    """Delete the files of disks and images that no resource names: what a killed process left half made."""
    named = set(_named_files(cloud))
    for folder in (_DISKS, _IMAGES):
        for file in (cloud.folder / folder).glob("*"):
            if file.name.startswith("."):
                file.unlink()
            elif str(file) not in named:
                cloud.hypervisor.delete_disk(file)


def _named_files(cloud: Cloud) -> Iterator[str]:
    for resource in cloud.store.select():
        yield from files_of(resource)
        if path := resource.hidden.get("path"):
            yield path
