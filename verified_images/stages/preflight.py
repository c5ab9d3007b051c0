"""Preflight: whatever the cloud or the target would refuse later is found before anything is paid for.

Resource providers are not looked at: the SDK registers one itself when ARM says that it is not.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verified_images.cloud.groups import group_exists
from verified_images.errors import AccessDeniedError, PreflightError
from verified_images.stages.checks import answer, begin_check
from verified_images.stages.ladder import Rung, at_location
from verified_images.stages.places import PlaceFindings, begin_at, look_at_rungs
from verified_images.stages.security import ALONE, encryption_problems
from verified_images.stages.snapshots import check_snapshots
from verified_images.stages.target import GalleryPlan, plan_gallery, plan_managed
from verified_images.stages.unsupported import unsupported_problems
from verified_images.stages.vhd import plan_vhd, vhd_problems
from verified_images.templates.model import rungs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.stages.context import BuildContext
    from verified_images.stages.source import PinnedSource

_NO_CALLER = (
    "builder.allowed_inbound_ip_addresses: this credential does not tell the address that you come from; "
    "name the addresses that may reach the machines by SSH"
)


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What preflight found and decided.

    ``callers`` are the addresses, in CIDR notation, that may reach the machines by SSH. ``gallery_version`` is
    the version's ARM id, ``managed_image`` the image's, and ``vhd_account`` that of the storage account for VHDs, where
    the template has such a target.
    ``security_type`` is that of all machines; None leaves it to Azure. ``subnet`` is the ARM id of the subnet that
    the template names; None makes a temporary network. ``rung`` is where the build VM is made, ``smoke`` where the
    scale set may be made, in order; ``others`` are the plans for the rungs that are tried after this one.
    """

    source: PinnedSource
    callers: tuple[str, ...]
    gallery_version: str | None = None
    managed_image: str | None = None
    vhd_account: str | None = None
    security_type: str | None = None
    subnet: str | None = None
    rung: Rung | None = None
    smoke: tuple[Rung, ...] = ()
    others: tuple[BuildPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the checks found that are independent of where the build is made; None where one failed or was not asked.

    ``places`` has what was found at each location.
    """

    callers: tuple[str, ...] | None
    gallery: GalleryPlan | None
    managed: str | None
    vhd_account: str | None
    places: Mapping[str, PlaceFindings]


def preflight(context: BuildContext) -> BuildPlan:
    """Check everything that can be checked before anything is created, all of it at once.

    Rungs of the template's ladders that cannot be had are left out, as long as another one is left.

    Raises:
        PreflightError: the build would fail; the error holds every problem found.
    """
    problems: list[str] = []
    findings = _find(context, problems)
    security_type = _security_type(context, findings)
    problems += _template_problems(context, security_type)
    looked = look_at_rungs(context, findings.places, findings.gallery, security_type)
    if problems or not looked.usable or findings.callers is None:
        raise PreflightError([*problems, *([] if looked.usable else looked.problems)])
    for problem in looked.problems:
        context.output.step(f"left out: {problem}")
    gallery_version = findings.gallery.version_id if findings.gallery else None
    plans = [
        BuildPlan(
            there.source,
            findings.callers,
            gallery_version,
            findings.managed,
            findings.vhd_account,
            security_type,
            there.subnet,
            rung,
            smoke,
        )
        for rung, smoke in looked.usable
        if (there := findings.places[rung.location]).source
    ]
    context.output.step(f"source {plans[0].source.description}")
    return replace(plans[0], others=tuple(plans[1:]))


def find_callers(context: BuildContext) -> tuple[str, ...]:
    """Return who may reach the machines: the template's addresses, else the caller's own, as the token tells it.

    Raises:
        PreflightError: neither is known.
        AccessDeniedError: there is no working credential.
    """
    claims = context.arm.connection.token_claims()
    if allowed := context.template.builder.allowed_inbound_ip_addresses:
        return tuple(allowed)
    try:
        return (str(ipaddress.ip_network(str(claims["ipaddr"]))),)
    except (KeyError, ValueError):
        raise PreflightError([_NO_CALLER]) from None


def _find(context: BuildContext, problems: list[str]) -> _Findings:
    try:
        context.arm.connection.token_claims()
    except AccessDeniedError as error:
        # Every other check would say the same again.
        raise PreflightError([str(error)]) from error
    target, ask = context.template.image, functools.partial
    callers = begin_check(ask(find_callers, context))
    begun = {
        location: begin_at(at_location(context, location)) for location in rungs_of(context.template.builder.location)
    }
    group = begin_check(ask(group_exists, context.arm, context.place.group))
    wanted = not target.skip
    gallery = begin_check(ask(plan_gallery, context, target.gallery)) if target.gallery and wanted else None
    managed = begin_check(ask(plan_managed, context, target.managed)) if target.managed and wanted else None
    snapshots = begin_check(ask(check_snapshots, context)) if target.managed and wanted else None
    vhd = begin_check(ask(plan_vhd, context, target.vhd)) if target.vhd and wanted else None
    there = answer(group, problems)
    answer(snapshots, problems)
    if there and context.owns_group:
        problems.append(f"a resource group '{context.place.group}' exists already; run again")
    if there is False and not context.owns_group:
        problems.append(f"builder.resource_group: there is no resource group '{context.place.group}'")
    return _Findings(
        answer(callers, problems),
        answer(gallery, problems),
        answer(managed, problems),
        answer(vhd, problems),
        {location: begun_there.finish() for location, begun_there in begun.items()},
    )


def _security_type(context: BuildContext, findings: _Findings) -> str | None:
    """Return the template's security type, or the only one that the gallery's definition takes."""
    only = findings.gallery.security_type if findings.gallery else None
    return context.template.builder.security_type or (only if only in ALONE else None)


def _template_problems(context: BuildContext, security_type: str | None) -> Iterator[str]:
    template = context.template
    image = template.image
    yield from unsupported_problems(template)
    yield from encryption_problems(template, security_type)
    if image.managed and not image.skip:
        if security_type in ALONE:
            yield f"image.managed: Azure makes no managed images of {security_type} machines; use image.gallery"
        if image.gallery and image.gallery.specialized:
            yield "image.managed: a managed image is never specialized; leave it out, or image.gallery.specialized"
    if image.vhd and not image.skip:
        yield from vhd_problems(template, security_type)
    if template.builder.keep_os_disk and context.owns_group:
        yield "builder.keep_os_disk: the disk would go with the temporary group; name a builder.resource_group for it"
