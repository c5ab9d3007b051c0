"""The VHD target: the disks of the generalized machine, copied into a container of a storage account.

Each becomes a page blob that holds a fixed-size VHD, named as by Azure's own capture of machines, and put where Packer
puts it: ``CONTAINER/PREFIX-osDisk.UUID.vhd``. Until it is published it carries the tags of what is temporary.
"""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.blobs import as_metadata, blob_id, container_of, metadata_name, open_container
from verified_images.cloud.disk_access import grant_reading, revoke_access
from verified_images.cloud.ids import resource_id
from verified_images.cloud.storage_accounts import find_account
from verified_images.errors import CloudError, NotFoundError, PreflightError
from verified_images.naming import INPUTS_TAG, RUN_TAG
from verified_images.stages.candidate import VERDICT_TAG, VERIFIED, candidate_tags
from verified_images.stages.provision import data_disks
from verified_images.stages.security import ALONE
from verified_images.templates.model import rungs_of
from verified_images.waiting import Deadline, note_progress, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verified_images.cloud.blobs import BlobFacts, Container
    from verified_images.stages.context import BuildContext
    from verified_images.templates.model import Template, VhdTarget


@dataclass(frozen=True, slots=True)
class Vhd:
    """A disk and the blob that it becomes: the blob's name, and its id."""

    disk: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class PublishedVhds:
    """The blobs that were made: their ids, and their addresses, the OS disk's first."""

    ids: tuple[str, ...]
    urls: tuple[str, ...]


def account_of(context: BuildContext, target: VhdTarget) -> str:
    """Return the ARM id of the storage account that the target names."""
    kind = "Microsoft.Storage/storageAccounts"
    return resource_id(context.place.subscription, target.resource_group, kind, target.storage_account)


def plan_vhd(context: BuildContext, target: VhdTarget) -> str:
    """Return the ARM id of the storage account, having checked that VHDs can be written to the container.

    Raises:
        PreflightError: the account or the container does not exist, is elsewhere, or takes no VHDs.
        CloudError: Azure refused to tell.
    """
    account_id, where = account_of(context, target), f"in '{target.resource_group}'"
    account = find_account(context.arm, account_id)
    if account is None:
        missing = f"there is no storage account '{target.storage_account}' {where}"
        raise PreflightError([f"image.vhd.storage_account: {missing}"])
    problems = [
        f"image.vhd.storage_account: '{account.name}' is in '{account.location}', but the image is built in "
        f"'{location}'; use an account there"
        for location in rungs_of(context.template.builder.location)
        if location != account.location
    ]
    if not account.takes_page_blobs:
        problems.append(
            f"image.vhd.storage_account: '{account.name}' takes no page blobs, which VHDs are; use an account of kind "
            "StorageV2 without a hierarchical namespace"
        )
    else:
        problems += _container_problems(context, open_container(context.arm, account, target.container), target)
    if problems:
        raise PreflightError(problems)
    return account_id


def _container_problems(context: BuildContext, container: Container, target: VhdTarget) -> Iterator[str]:
    if not container.exists():
        name = target.storage_account
        yield f"image.vhd.container: '{name}' has no container '{target.container}'; make it, or name another"
        return
    # To see a container is to manage the account; whether its blobs may be read is another matter.
    for vhd in wanted_vhds(context, target, account_of(context, target)):
        container.find(vhd.name)


def vhd_problems(template: Template, security_type: str | None) -> Iterator[str]:
    """Yield a sentence for each reason why no VHD can be made of the template's machine, or none be verified."""
    gallery = template.image.gallery
    if security_type == "ConfidentialVM":
        yield "image.vhd: the disks of ConfidentialVM machines cannot be copied as VHDs; use image.gallery alone"
    elif security_type in ALONE and gallery is None:
        yield f"image.vhd: a {security_type} machine is verified by a gallery version alone; add image.gallery"
    if gallery and gallery.specialized:
        yield "image.vhd: a VHD is never specialized; leave it out, or image.gallery.specialized"


def wanted_vhds(context: BuildContext, target: VhdTarget, account_id: str) -> tuple[Vhd, ...]:
    """Return the blobs to be made, the OS disk's first; the data disks' are numbered by LUN."""
    # The same each time that the run is gone on with, and no other run's.
    unique = uuid.uuid5(uuid.NAMESPACE_OID, context.run.id)
    disks = {"osDisk": context.run.names.os_disk}
    disks |= {f"dataDisk-{disk.lun}": disk.name for disk in data_disks(context)}
    names = {f"{target.name_prefix}-{noun}.{unique}.vhd": disk for noun, disk in disks.items()}
    return tuple(Vhd(disk, name, blob_id(account_id, target.container, name)) for name, disk in names.items())


def publish_vhds(context: BuildContext, account_id: str) -> PublishedVhds:
    """Copy the disks, all at once; clean-up removes what was made half-way.

    Raises:
        CloudError: Azure refused something, or a copy failed.
        DeadlineError: the copies took longer than the template's ``copy_timeout``.
    """
    target = context.template.image.vhd
    if target is None:
        return PublishedVhds((), ())
    account = find_account(context.arm, account_id)
    if account is None:
        raise NotFoundError(f"the storage account '{account_id}' is gone", resource=account_id)
    container = open_container(context.arm, account, target.container)
    vhds = wanted_vhds(context, target, account_id)
    deadline = Deadline(f"copies of the disks to '{container.url}'", target.copy_timeout)
    for vhd in vhds:
        context.undo.register("blob", vhd.id, functools.partial(delete_own_vhd, context, vhd.id))
    granted: list[str] = []
    try:
        for vhd in vhds:
            granted.append(vhd.disk)
            _begin(context, container, vhd, target.copy_timeout)
        wait_for(
            functools.partial(_look_at_copies, context, container, vhds),
            deadline,
            every=context.arm.connection.polling_interval,
        )
    finally:
        for disk in granted:
            revoke_access(context.arm, context.place.group, disk)
    return PublishedVhds(tuple(vhd.id for vhd in vhds), tuple(container.url_of(vhd.name) for vhd in vhds))


def mark_verified(context: BuildContext, published: PublishedVhds, tags: Mapping[str, str]) -> None:
    """Take the published blobs out of what expires, and write on them what the image is."""
    for each in published.ids:
        container, name = container_of(context.arm, each)
        container.set_metadata(name, as_metadata(tags))


def delete_own_vhd(context: BuildContext, blob: str) -> None:
    """Delete the blob unless it is another run's, or not there."""
    container, name = container_of(context.arm, blob)
    found = container.find(name)
    if found is not None and found.metadata.get(metadata_name(RUN_TAG)) == context.run.id:
        container.delete(name)


def find_published_vhds(context: BuildContext, target: VhdTarget, inputs: str) -> Iterator[str]:
    """Yield the addresses of the OS disks in the target's container that were verified with these inputs."""
    account = find_account(context.arm, account_of(context, target))
    if account is None:
        return
    container = open_container(context.arm, account, target.container)
    wanted = {metadata_name(INPUTS_TAG): inputs, metadata_name(VERDICT_TAG): VERIFIED}
    for name, metadata in container.list_metadata(f"{target.name_prefix}-osDisk."):
        if wanted.items() <= metadata.items():
            yield container.url_of(name)


def _begin(context: BuildContext, container: Container, vhd: Vhd, seconds: float) -> None:
    url = grant_reading(context.arm, context.place.group, vhd.disk, seconds)
    context.masker.add(url, url.partition("?")[2])
    context.output.step(f"copy disk '{vhd.disk}' to {container.url_of(vhd.name)} ...")
    container.begin_copy(vhd.name, url, as_metadata(candidate_tags(context)))


def _look_at_copies(
    context: BuildContext, container: Container, vhds: Sequence[Vhd], deadline: Deadline
) -> bool | None:
    found = [(vhd, container.find(vhd.name)) for vhd in vhds]
    seen = ", ".join(f"'{vhd.name}' {_say(facts)}" for vhd, facts in found)
    if seen != deadline.last_seen:
        note_progress(seen)
    deadline.saw(seen)
    for vhd, facts in found:
        if facts is None or facts.status not in {"pending", "success"}:
            raise CloudError(
                f"copy of disk '{vhd.disk}' to {container.url_of(vhd.name)} failed: {_say(facts)}; run again",
                operation="copy to blob",
                resource=vhd.id,
            )
    if not all(facts is not None and facts.status == "success" for _, facts in found):
        return None
    context.output.step(f"copied: {seen}")
    return True


def _say(facts: BlobFacts | None) -> str:
    if facts is None:
        return "is gone"
    done, _, total = facts.progress.partition("/")
    share = f" {100 * int(done) // int(total)} %" if done.isdigit() and total.isdigit() and int(total) else ""
    return f"{facts.status or 'is no copy'}{share}" + (f": {facts.description}" if facts.description else "")
