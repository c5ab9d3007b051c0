"""What is put right when a local Azure starts on the folder of one that was killed.

Deletions that were under way are carried on; any other operation ends Failed, and so does the resource that it was on.
What points at a resource that was never made, or is gone, is let go of; guests that no machine has are forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.resource_manager import groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.operations import Work
    from verified_images.emulator.store import Resource

_UNFINISHED = {"Accepted", "Creating", "Deleting", "InProgress", "Running", "Updating"}


def recover(cloud: Cloud) -> None:
    """Bring what is kept of resources, operations and guests in step; to be called before any call is answered."""
    deletions = dict(_interrupted_deletions(cloud))
    for key, document in cloud.operations.interrupted():
        if key not in deletions:
            cloud.operations.fail_interrupted(key, document)
            _fail(cloud, document["resource"])
    carried_on = {str(work.on).lower() for work in deletions.values()}
    groups_going = tuple(f"{each}/" for each in carried_on)
    for resource in cloud.store.select():
        if resource.id.key not in carried_on and not resource.id.key.startswith(groups_going):
            _settle(cloud, resource)
    _drop_dangling(cloud)
    for resource in cloud.store.select():
        if kind := cloud.kind_of(resource.id.type):
            kind.recover(cloud, resource)
    _forget_guests(cloud)
    for key, work in deletions.items():
        cloud.operations.resume(key, work)


def _interrupted_deletions(cloud: Cloud) -> Iterator[tuple[str, Work]]:
    """Give the deletions that were under way: of each resource that is still there the last one."""
    for key, document in cloud.operations.interrupted():
        resource = cloud.store.find(document["resource"])
        if resource is None or resource.state != "Deleting":
            continue
        if not resource.id.provider:
            yield key, groups.deletion_work(cloud, resource.id)
            continue
        kind = cloud.kind_of(resource.id.type)
        if kind and document["operation"].lower() == f"{resource.id.type}/delete".lower():
            yield key, kind.deletion_work(cloud, resource.id)


def _fail(cloud: Cloud, resource: str) -> None:
    """Let a resource be Failed that an operation was on, whatever it showed meanwhile."""
    with cloud.store.changing(resource) as found:
        if found and found.id.provider and found.state != "Deleting":
            found.properties["provisioningState"] = "Failed"


def _settle(cloud: Cloud, resource: Resource) -> None:
    """Let a resource that nothing is done on any more be Failed, which a retry of the call overcomes."""
    if resource.state in _UNFINISHED:
        with cloud.store.changing(resource.id) as found:
            if found:
                found.properties["provisioningState"] = "Failed" if found.id.provider else "Succeeded"


def _drop_dangling(cloud: Cloud) -> None:
    """Let go of machines that were never stored, or are gone, in the cards and disks that were to be theirs."""
    for resource in cloud.store.select():
        changed = _without_missing(cloud, resource)
        if changed:
            cloud.store.put(resource)


def _without_missing(cloud: Cloud, resource: Resource) -> bool:
    owner: Any = resource.properties.get("virtualMachine")
    if isinstance(owner, dict) and _is_missing(cloud, owner.get("id")):
        del resource.properties["virtualMachine"]
        return True
    if resource.id.provider and not _is_held(cloud, resource):
        del resource.body["managedBy"]
        if "diskState" in resource.properties:
            resource.properties["diskState"] = "Unattached"
        return True
    return False


def _is_held(cloud: Cloud, resource: Resource) -> bool:
    """Tell whether the owner that a resource claims, if any, is there and names it."""
    claimed = resource.body.get("managedBy")
    if not isinstance(claimed, str) or not claimed:
        return True
    owner = cloud.store.find(claimed)
    return owner is not None and resource.id.key in {each.id.key for each in cloud.store.references(owner.id)}


def _is_missing(cloud: Cloud, identifier: Any) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(identifier, str) or not identifier:
        return False
    try:
        ResourceId.parse(identifier)
    except ValueError:
        return False
    return cloud.store.find(identifier) is None


def _forget_guests(cloud: Cloud) -> None:
    """Remove what is kept of guests that no machine has."""
    folder = cloud.folder / "guests"
    if not folder.is_dir():
        return
    named = {str(resource.hidden.get("guest", "")) for resource in cloud.store.select()}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in named:
            cloud.hypervisor.forget(entry.name)
