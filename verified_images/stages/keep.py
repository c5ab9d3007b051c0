"""Keep: leave the machine where it is, for whoever wants to look at it or to test it again, until a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from verified_images.cloud.compute import is_running, power_off_machine
from verified_images.cloud.tagged import list_tagged, set_tag
from verified_images.errors import NotFoundError
from verified_images.journal import KEPT
from verified_images.naming import EXPIRY_TAG, RUN_TAG, format_time
from verified_images.ssh.command import known_hosts_lines
from verified_images.stages.cleanup import close_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from verified_images.journal import Journal
    from verified_images.ssh.address import Address
    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.context import BuildContext
    from verified_images.stages.preflight import BuildPlan
    from verified_images.stages.provision import Provisioned


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: the ARM ids, until when, and how the build VM is reached, if it was ever logged into.

    ``key`` and ``known_hosts`` are the files beside the journal that let OpenSSH in; ``running`` tells whether the
    machine is on.
    """

    ids: tuple[str, ...]
    expires: datetime
    address: Address | None
    key: Path
    known_hosts: Path
    running: bool


def note_provisioned(context: BuildContext, journal: Journal, provisioned: Provisioned) -> None:
    """Note in the journal what a later run needs in order to test, or to capture, the machine."""
    machine = provisioned.machine
    facts = {"host_name": machine.host_name, "private_address": machine.private_address}
    plan = describe_plan(context, provisioned.plan)
    journal.noted("provisioned", {"plan": plan, "machine": facts, "done_before": provisioned.done_before})


def note_captured(context: BuildContext, journal: Journal, captured: CapturedImage) -> None:
    """Note in the journal what a later run needs in order to deploy, or to publish, the candidate."""
    facts = {
        "plan": describe_plan(context, captured.plan),
        "machine_id": captured.machine_id,
        "gallery_version": captured.gallery_version,
        "managed_image": captured.managed_image,
    }
    journal.noted("captured", facts)


def describe_plan(context: BuildContext, plan: BuildPlan) -> Mapping[str, Any]:
    """Return the plan as the journal keeps it: without secrets, and without the address of a VHD, which may be one."""
    values = asdict(replace(plan, others=()))
    source = values["source"]
    if source["vhd"]:
        source["description"] = source["version"] = source["vhd"].partition("?")[0]
        source["vhd"] = None
    masked: Mapping[str, Any] = _masked(context, values)
    return masked


def keep(context: BuildContext, journal: Journal, expires: datetime, *, stays_on: bool = True) -> Kept:
    """Leave everything that the build has made, let go of it, and tell how to get in.

    Whatever carries the run's tag expires at ``expires`` from now on. The private key is written to a file beside
    the journal, since a person is to use it. ``stays_on`` is False where the machine would lose its power when this
    process ends: it is shut down in good order then.

    Raises:
        CloudError: Azure refused something; the resources are still in the journal.
    """
    addresses = [session.address for session in context.sessions if session.address.machine == _name(context)]
    address = addresses[-1] if addresses else None
    close_sessions(context)
    ids = _extend(context, expires)
    running = _settle_power(context, stays_on=stays_on)
    if address is not None:
        context.key.write(journal.key_file)
        journal.known_hosts.write_text(known_hosts_lines(address), "utf-8")
    journal.noted(KEPT, {"expires": format_time(expires), "machine": None if address is None else asdict(address)})
    return Kept(ids, expires, address, journal.key_file, journal.known_hosts, running)


def _extend(context: BuildContext, expires: datetime) -> tuple[str, ...]:
    arm = context.arm
    own = [item for item in list_tagged(arm, RUN_TAG) if item.tags[RUN_TAG] == context.run.id]
    temporary = [item.id for item in own if EXPIRY_TAG in item.tags]
    for resource_id in temporary:
        set_tag(arm, resource_id, EXPIRY_TAG, format_time(expires))
    return tuple(temporary)


def _settle_power(context: BuildContext, *, stays_on: bool) -> bool:
    group, name = context.place.group, _name(context)
    try:
        running = is_running(context.arm, group, name)
    except NotFoundError:
        return False
    if running and not stays_on:
        power_off_machine(context.arm, group, name)
        return False
    return running


def _name(context: BuildContext) -> str:
    return context.run.names.virtual_machine


def _masked(context: BuildContext, value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, str):
        return context.masker(value)
    if isinstance(value, dict):
        return {name: _masked(context, each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(context, each) for each in value]
    return value
