"""What preflight finds at each location that a build may be made in, and which rungs can be had there."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.sizes import list_sizes, list_usages
from verified_images.stages.capacity import Machines, quota_problems, size_problems, source_problems
from verified_images.stages.checks import answer, begin_check
from verified_images.stages.ladder import build_rungs, measure, smoke_rungs
from verified_images.stages.network import find_subnet
from verified_images.stages.security import source_security_problems
from verified_images.stages.source import pin_source
from verified_images.stages.target import compare, shallow_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from verified_images.cloud.sizes import Size, Usage
    from verified_images.stages.context import BuildContext
    from verified_images.stages.ladder import Rung
    from verified_images.stages.source import PinnedSource
    from verified_images.stages.target import GalleryPlan
    from verified_images.templates.model import Template


@dataclass(frozen=True, slots=True)
class PlaceFindings:
    """What the checks found at one location; None where a check has failed, which ``problems`` tell of."""

    source: PinnedSource | None
    sizes: Mapping[str, Size] | None
    usages: Mapping[str, Usage] | None
    subnet: str | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BegunChecks:
    """The checks at one location, which go on."""

    source: Future[PinnedSource]
    sizes: Future[Mapping[str, Size]]
    usages: Future[Mapping[str, Usage]]
    subnet: Future[str] | None

    def finish(self) -> PlaceFindings:
        """Wait for the checks."""
        problems: list[str] = []
        return PlaceFindings(
            answer(self.source, problems),
            answer(self.sizes, problems),
            answer(self.usages, problems),
            answer(self.subnet, problems),
            tuple(problems),
        )


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The build VM's rungs that can be had, each with those of the scale set, and what is wrong with the others."""

    usable: tuple[tuple[Rung, tuple[Rung, ...]], ...]
    problems: tuple[str, ...]


def begin_at(context: BuildContext) -> BegunChecks:
    """Begin the checks at the context's location."""
    ask, location = functools.partial, context.place.location
    network = context.template.builder.virtual_network
    return BegunChecks(
        begin_check(ask(pin_source, context)),
        begin_check(ask(list_sizes, context.arm, location)),
        begin_check(ask(list_usages, context.arm, location)),
        begin_check(ask(find_subnet, context, network)) if network else None,
    )


def look_at_rungs(
    context: BuildContext, places: Mapping[str, PlaceFindings], gallery: GalleryPlan | None, security_type: str | None
) -> LookedAt:
    """Return which rungs of the template can be had, by what was found at their locations."""
    template, usable, problems = context.template, [], dict[str, None]()
    rungs = build_rungs(template)
    for rung in rungs:
        there = places[rung.location]
        found = [*there.problems, *_place_problems(template, rung.location, there, gallery, security_type)]
        named = f"{rung.location}: " if len(rungs) > 1 else ""
        problems |= dict.fromkeys(f"{named}{problem}" for problem in found)
        own, smoke = _rung_problems(template, rung, there, security_type)
        named = f"{rung}: " if len(rungs) > 1 else ""
        problems |= dict.fromkeys(f"{named}{problem}" for problem in own)
        if not found and smoke:
            usable.append((measure(rung, there.sizes), smoke))
    return LookedAt(tuple(usable), tuple(problems))


def _place_problems(
    template: Template, location: str, there: PlaceFindings, gallery: GalleryPlan | None, security_type: str | None
) -> Iterator[str]:
    if template.image.gallery and not template.image.skip:
        yield from shallow_problems(template.image.gallery, location)
    if there.source:
        yield from source_security_problems(security_type, there.source.security_type, there.source.description)
    if there.source and gallery:
        yield from compare(there.source, gallery, security_type)


def _rung_problems(
    template: Template, rung: Rung, there: PlaceFindings, security_type: str | None
) -> tuple[list[str], tuple[Rung, ...]]:
    """Return what is wrong with a rung, and the rungs of the scale set that can be had after it."""
    problems: dict[str, None] = {}
    usable: list[Rung] = []
    for smoke in smoke_rungs(template, rung):
        found = list(_problems(Machines(template, rung, smoke), there, security_type))
        problems |= dict.fromkeys(found)
        if not found:
            usable.append(measure(smoke, there.sizes))
    return ([] if usable else list(problems)), tuple(usable)


def _problems(machines: Machines, there: PlaceFindings, security_type: str | None) -> Iterator[str]:
    if there.sizes is None:
        return
    yield from size_problems(machines, there.sizes)
    if there.usages is not None:
        yield from quota_problems(machines, there.sizes, there.usages)
    if there.source:
        yield from source_problems(machines, there.sizes, there.source, security_type)
