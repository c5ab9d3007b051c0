"""Ladders: the sizes, zones and locations of a template, tried one after the other until one is to be had.

What another rung may help against is told apart from what it cannot: a size that Azure has no room for, or that the
subscription may not use, a quota that is used up, and a spot machine that was taken back lead to the next rung. A
refused credential, a policy and everything else end the build at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from verified_images.errors import (
    CapacityError,
    EvictedError,
    LadderError,
    QuotaError,
    RestrictionError,
    VerifiedImagesError,
)
from verified_images.templates.model import rungs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verified_images.cloud.sizes import Size
    from verified_images.stages.context import BuildContext
    from verified_images.stages.preflight import BuildPlan
    from verified_images.templates.model import Template

T = TypeVar("T")

Fallen: TypeAlias = tuple[tuple[str, str], ...]
"""Rungs that could not be had, in words, each with why in two words."""

NEXT_RUNG = (CapacityError, RestrictionError, QuotaError, EvictedError)
"""The errors that another rung may not meet."""

_WORDS: dict[type[VerifiedImagesError], str] = {
    CapacityError: "no capacity",
    RestrictionError: "restricted",
    QuotaError: "no quota",
    EvictedError: "evicted",
}
_CORES = ("OperationNotAllowed", "QuotaExceeded")


@dataclass(frozen=True, slots=True)
class Rung:
    """Where machines are made, and of which size: one choice of each ladder.

    ``zone`` None leaves it to Azure. ``family`` and ``cores`` are what quotas count of the size, once Azure told.
    """

    location: str
    vm_size: str
    zone: str | None = None
    family: str = ""
    cores: int = 0

    def __str__(self) -> str:
        zone = f", zone {self.zone}" if self.zone else ""
        return f"{self.vm_size} in {self.location}{zone}"


def build_rungs(template: Template) -> tuple[Rung, ...]:
    """Return where the build VM may be made: each location with each size in it, and of each size each zone."""
    builder = template.builder
    places = itertools.product(rungs_of(builder.location), rungs_of(builder.vm_size), rungs_of(builder.zone) or (None,))
    return tuple(Rung(location, size, zone) for location, size, zone in places)


def smoke_rungs(template: Template, built: Rung) -> tuple[Rung, ...]:
    """Return where the scale set may be made: in the build's location, and first as the build VM was."""
    smoke, builder = template.smoke, template.builder
    sizes = rungs_of(smoke.vm_size) or _first(built.vm_size, rungs_of(builder.vm_size))
    zones: Sequence[str | None] = rungs_of(smoke.zone)
    if not zones:
        zones = _first(built.zone, rungs_of(builder.zone)) if built.zone else (None,)
    return tuple(Rung(built.location, size, zone) for size, zone in itertools.product(sizes, zones))


def measure(rung: Rung, sizes: Mapping[str, Size] | None) -> Rung:
    """Return the rung with what quotas count of its size."""
    size = (sizes or {}).get(rung.vm_size.lower())
    return rung if size is None else replace(rung, family=size.family, cores=size.cores)


def at_location(context: BuildContext, location: str) -> BuildContext:
    """Return the context of a build that is made in this location."""
    return replace(context, place=replace(context.place, location=location))


def at_rung(context: BuildContext, rung: Rung | None) -> BuildContext:
    """Return the context of a build that goes on at this rung."""
    return context if rung is None else at_location(context, rung.location)


def rung_of(context: BuildContext, plan: BuildPlan) -> Rung:
    """Return where a plan is for: the template's first rung, unless preflight has chosen one."""
    return plan.rung or build_rungs(context.template)[0]


def climb(
    what: str,
    rungs: Sequence[Rung],
    attempt: Callable[[Rung], T],
    clear: Callable[[Rung, Rung], None],
    report: Callable[[str], None],
) -> tuple[T, Fallen]:
    """Return what the attempt gives on the first rung where it succeeds, and the rungs that failed before.

    ``clear`` removes what a failed rung has left half made before the next one, its second argument, is tried.

    Raises:
        LadderError: no rung could be had; with a single rung, its own error.
    """
    failures: list[tuple[Rung, VerifiedImagesError]] = []
    told: list[tuple[str, str]] = []
    for rung in rungs:
        if hopeless := next((failed for failed, error in failures if _is_hopeless(rung, failed, error)), None):
            told.append((str(rung), f"not tried, since the quota has no room for {hopeless}"))
            continue
        try:
            if failures:
                failed, error = failures[-1]
                report(f"{what}: {failed}: {word_for(error)}; trying {rung}")
                clear(failed, rung)
            return attempt(rung), tuple((str(failed), word_for(error)) for failed, error in failures)
        except NEXT_RUNG as error:
            failures.append((rung, error))
            told.append((str(rung), f"{word_for(error)}: {error}"))
    last = failures[-1][1]
    if len(rungs) == 1:
        raise last
    raise LadderError(what, told) from last


def word_for(error: VerifiedImagesError) -> str:
    """Return in two words why a rung could not be had."""
    return next(word for kind, word in _WORDS.items() if isinstance(error, kind))


def _is_hopeless(rung: Rung, failed: Rung, error: VerifiedImagesError) -> bool:
    """Tell whether the quota that one rung has met will be met by another: quotas count by location, not by zone."""
    if not isinstance(error, QuotaError) or rung.location != failed.location:
        return False
    if error.code not in _CORES:
        return True  # of addresses, say: every size needs them
    text = str(error).lower()
    regional = "regional" in text.partition("quota.")[0] or "lowprioritycores" in text
    return rung.cores >= failed.cores and (regional or rung.family == failed.family)


def _first(one: str, others: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((one, *others)))
