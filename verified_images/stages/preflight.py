"""Preflight: whatever the cloud or the target would refuse later is found before anything is paid for.

Resource providers are not looked at: the SDK registers one itself when ARM says that it is not.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from verified_images.cloud.groups import group_exists
from verified_images.cloud.sizes import list_sizes, list_usages
from verified_images.errors import AccessDeniedError, CloudError, PreflightError
from verified_images.stages.capacity import quota_problems, size_problems, source_problems
from verified_images.stages.network import find_subnet
from verified_images.stages.snapshots import check_snapshots
from verified_images.stages.source import PinnedSource, pin_source
from verified_images.stages.target import GalleryPlan, compare, plan_gallery, plan_managed
from verified_images.stages.together import begin_together, settle
from verified_images.stages.unsupported import unsupported_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from verified_images.cloud.sizes import Size, Usage
    from verified_images.stages.context import BuildContext

T = TypeVar("T")

_NO_CALLER = (
    "builder.allowed_inbound_ip_addresses: this credential does not tell the address that you come from; "
    "name the addresses that may reach the machines by SSH"
)


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What preflight found and decided.

    ``callers`` are the addresses, in CIDR notation, that may reach the machines by SSH. ``gallery_version`` is
    the version's ARM id and ``managed_image`` the image's, where the template has such a target.
    ``security_type`` is that of all machines; None leaves it to Azure. ``subnet`` is the ARM id of the subnet that
    the template names; None makes a temporary network.
    """

    source: PinnedSource
    callers: tuple[str, ...]
    gallery_version: str | None = None
    managed_image: str | None = None
    security_type: str | None = None
    subnet: str | None = None


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the independent checks found; None where a check has failed, or was not asked for."""

    callers: tuple[str, ...] | None
    source: PinnedSource | None
    sizes: Mapping[str, Size] | None
    usages: Mapping[str, Usage] | None
    gallery: GalleryPlan | None
    managed: str | None
    subnet: str | None


def preflight(context: BuildContext) -> BuildPlan:
    """Check everything that can be checked before anything is created, all of it at once.

    Raises:
        PreflightError: the build would fail; the error holds every problem found.
    """
    problems: list[str] = []
    findings = _find(context, problems)
    security_type = _security_type(context, findings)
    problems += _template_problems(context, security_type)
    if findings.sizes is not None:
        problems += size_problems(context.template, findings.sizes)
        if findings.usages is not None:
            problems += quota_problems(context.template, findings.sizes, findings.usages)
        if findings.source:
            problems += source_problems(context.template, findings.sizes, findings.source, security_type)
    if findings.source and findings.gallery:
        problems += compare(findings.source, findings.gallery, security_type)
    if problems or findings.source is None or findings.callers is None:
        raise PreflightError(problems)
    context.output.step(f"source {findings.source.description}")
    gallery_version = findings.gallery.version_id if findings.gallery else None
    return BuildPlan(
        findings.source, findings.callers, gallery_version, findings.managed, security_type, findings.subnet
    )


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
    target, location = context.template.image, context.template.builder.location
    ask = functools.partial
    callers = _begin(ask(find_callers, context))
    source = _begin(ask(pin_source, context))
    sizes = _begin(ask(list_sizes, context.arm, location))
    usages = _begin(ask(list_usages, context.arm, location))
    group = _begin(ask(group_exists, context.arm, context.place.group))
    network = context.template.builder.virtual_network
    subnet = _begin(ask(find_subnet, context, network)) if network else None
    wanted = not target.skip
    gallery = _begin(ask(plan_gallery, context, target.gallery)) if target.gallery and wanted else None
    managed = _begin(ask(plan_managed, context, target.managed)) if target.managed and wanted else None
    snapshots = _begin(ask(check_snapshots, context)) if target.managed and wanted else None
    there = _answer(group, problems)
    _answer(snapshots, problems)
    if there and context.owns_group:
        problems.append(f"a resource group '{context.place.group}' exists already; run again")
    if there is False and not context.owns_group:
        problems.append(f"builder.resource_group: there is no resource group '{context.place.group}'")
    return _Findings(
        _answer(callers, problems),
        _answer(source, problems),
        _answer(sizes, problems),
        _answer(usages, problems),
        _answer(gallery, problems),
        _answer(managed, problems),
        _answer(subnet, problems),
    )


def _begin(call: functools.partial[T]) -> Future[T]:
    return begin_together([call])[0]


def _answer(future: Future[T] | None, problems: list[str]) -> T | None:
    """Return what a check found, or None after adding why it failed to the problems."""
    if future is None:
        return None
    settle([future])
    try:
        return future.result()
    except PreflightError as error:
        problems += error.problems
    except CloudError as error:
        problems.append(str(error))
    return None


def _security_type(context: BuildContext, findings: _Findings) -> str | None:
    """Return the template's security type, or the only one that the gallery's definition takes."""
    only = findings.gallery.security_type if findings.gallery else None
    return context.template.builder.security_type or (only if only == "TrustedLaunch" else None)


def _template_problems(context: BuildContext, security_type: str | None) -> Iterator[str]:
    template = context.template
    yield from unsupported_problems(template)
    if security_type == "TrustedLaunch" and template.image.managed and not template.image.skip:
        yield "image.managed: Azure makes no managed images of TrustedLaunch machines; use image.gallery"
