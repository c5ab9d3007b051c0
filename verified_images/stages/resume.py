"""Resume: go on with what an earlier run has left, by what its journal tells."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from verified_images.cloud.compute import is_running, start_machine
from verified_images.cloud.groups import delete_group
from verified_images.cloud.ids import is_inside, same_id
from verified_images.cloud.scale_sets import delete_scale_set
from verified_images.cloud.tagged import BLOB_TYPE, find_tags, type_of
from verified_images.errors import MachineError, NotFoundError, VerifiedImagesError
from verified_images.journal import KEPT
from verified_images.naming import RUN_TAG
from verified_images.ssh.address import Address
from verified_images.ssh.session import Session
from verified_images.stages.candidate import delete_own_image, delete_own_version
from verified_images.stages.capture import CapturedImage
from verified_images.stages.ladder import Rung
from verified_images.stages.machine import Machine
from verified_images.stages.preflight import BuildPlan, find_callers
from verified_images.stages.provision import Provisioned
from verified_images.stages.scale_set import ScaleSet
from verified_images.stages.snapshots import delete_own_snapshot
from verified_images.stages.source import PinnedSource
from verified_images.stages.vhd import delete_own_vhd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verified_images.journal import Record
    from verified_images.stages.context import BuildContext

T = TypeVar("T")

_SCALE_SETS = "microsoft.compute/virtualmachinescalesets"
_PUBLISHED: Mapping[str, Callable[[BuildContext, str], None]] = {
    "microsoft.compute/galleries/images/versions": delete_own_version,
    "microsoft.compute/images": delete_own_image,
    "microsoft.compute/snapshots": delete_own_snapshot,
    BLOB_TYPE: delete_own_vhd,
}


def register_left(context: BuildContext, record: Record) -> None:
    """Make what the earlier run has left this build's to remove."""
    for entry in record.left:
        context.undo.register(entry.kind, entry.resource_id, _deletion(context, entry.resource_id))


def resume_provisioned(context: BuildContext, record: Record) -> Provisioned:
    """Return the machine that an earlier run has provisioned and kept, booted if need be, with a session into it.

    Raises:
        VerifiedImagesError: the run did not get so far, or did not keep it.
        MachineError: it is gone.
        HostKeyError, UnreachableError, LoginError: it does not let us in.
    """
    noted = _noted(record, "provisioned", "its provisioners were not done")
    kept = _noted(record, KEPT, "its machine was not kept (--vi-keep)")
    name = context.run.names.virtual_machine
    if kept["machine"] is None:
        raise VerifiedImagesError(f"run {record.run.id} of {record.run.spec} never logged into its machine '{name}'")
    group = context.place.group
    try:
        if not is_running(context.arm, group, name):
            start_machine(context.arm, group, name)
    except NotFoundError as error:
        raise MachineError(
            f"the machine '{name}' that run {record.run.id} kept is gone; build anew with --vi-keep", machine=name
        ) from error
    machine = kept["machine"]
    address = Address(
        name, machine["host"], machine["port"], machine["username"], tuple(map(str, machine["host_keys"]))
    )
    session = Session.connect(
        address,
        context.key,
        context.arm.connection.reach,
        timeout=context.template.builder.ssh_timeout,
        masker=context.masker,
    )
    context.sessions.append(session)
    context.output.step(f"logged into '{name}', which run {record.run.id} kept")
    facts = noted["machine"]
    return Provisioned(
        _plan(context, noted["plan"]),
        Machine(
            context.place.compute_id("virtualMachines", name),
            name,
            facts["host_name"],
            facts["private_address"],
            session,
        ),
    )


def resume_captured(context: BuildContext, record: Record) -> CapturedImage:
    """Return the candidate that an earlier run has captured; what its deployment has left is removed.

    Raises:
        VerifiedImagesError: the run did not get so far, or the candidate is gone.
    """
    noted = _noted(record, "captured", "no image was captured")
    version, managed = noted["gallery_version"], noted["managed_image"]
    for candidate in filter(None, (version, managed)):
        tags = find_tags(context.arm, candidate)
        if tags is None or tags.get(RUN_TAG) != record.run.id:
            raise VerifiedImagesError(
                f"the candidate image '{candidate}' that run {record.run.id} captured is gone; build anew"
            )
    return CapturedImage(_plan(context, noted["plan"]), noted["machine_id"], version, managed)


def remove_deployment(context: BuildContext) -> None:
    """Remove the scale set that an earlier run has left, so that another can take its name."""
    for temporary in context.undo.newest_first():
        if type_of(temporary.id) == _SCALE_SETS:
            delete_scale_set(context.arm, temporary.id)
            context.undo.forget(temporary.id)


def resume_deployed(context: BuildContext, captured: CapturedImage) -> ScaleSet:
    """Return the scale set that an earlier run has deployed and tested, as far as publishing asks for it."""
    name = context.run.names.scale_set
    return ScaleSet(
        id=context.place.compute_id("virtualMachineScaleSets", name),
        name=name,
        image_id=captured.id,
        instances=(),
        frontend=None,
        reach=context.arm.connection.reach,
    )


def _noted(record: Record, what: str, otherwise: str) -> Mapping[str, Any]:
    facts: Mapping[str, Any] | None = record.notes.get(what)
    if facts is None:
        raise VerifiedImagesError(f"run {record.run.id} of {record.run.spec} cannot be gone on with: {otherwise}")
    return facts


def _plan(context: BuildContext, noted: Mapping[str, Any]) -> BuildPlan:
    source = _restore(PinnedSource, noted["source"])
    rung = _restore(Rung, noted["rung"]) if noted.get("rung") else None
    smoke = tuple(_restore(Rung, each) for each in noted.get("smoke") or ())
    found = {"source": source, "rung": rung, "smoke": smoke, "others": ()}
    # Whoever goes on may come from another address than whoever began.
    return _restore(BuildPlan, {**noted, **found, "callers": find_callers(context)})


def _restore(kind: Callable[..., T], values: Mapping[str, Any]) -> T:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type] # always a dataclass
    return kind(**{name: value for name, value in values.items() if name in known})


def _deletion(context: BuildContext, resource_id: str) -> Callable[[], None] | None:
    """Say how a resource is deleted; None for what goes with its resource group."""
    group = context.place.group_id
    if same_id(resource_id, group):
        return functools.partial(delete_group, context.arm, context.place.group)
    if type_of(resource_id) == _SCALE_SETS:
        return functools.partial(delete_scale_set, context.arm, resource_id)
    if is_inside(resource_id, group):
        return None
    if delete := _PUBLISHED.get(type_of(resource_id)):
        return functools.partial(delete, context, resource_id)
    raise VerifiedImagesError(f"'{resource_id}' was left by an earlier run, and no build makes such a thing there")
