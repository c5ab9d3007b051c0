"""Fields that take one value, or several that are tried one after the other: the rungs of a ladder."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag

from verified_images.templates.base import wrong
from verified_images.templates.fields import Location, VmSize, Zone


def _form(value: object) -> str:
    return "ladder" if isinstance(value, list | tuple) else "one"


def _check_rungs(rungs: tuple[str, ...]) -> tuple[str, ...]:
    if not rungs:
        raise wrong("at least one entry is needed")
    for rung in rungs:
        if rungs.count(rung) > 1:
            raise wrong(f"{rung!r} is listed twice")
    return rungs


_RUNGS = AfterValidator(_check_rungs)
_ONE_OR_SEVERAL = Discriminator(_form)

VmSizes = Annotated[
    Annotated[VmSize, Tag("one")] | Annotated[tuple[VmSize, ...], _RUNGS, Tag("ladder")],
    _ONE_OR_SEVERAL,
]
"""A VM size, or a ladder of them. ``rungs_of`` gives either as a tuple, here as in the other ladders."""
Locations = Annotated[
    Annotated[Location, Tag("one")] | Annotated[tuple[Location, ...], _RUNGS, Tag("ladder")],
    _ONE_OR_SEVERAL,
]
"""A location, or a ladder of them."""
Zones = Annotated[
    Annotated[Zone, Tag("one")] | Annotated[tuple[Zone, ...], _RUNGS, Tag("ladder")],
    _ONE_OR_SEVERAL,
]
"""An availability zone, or a ladder of them."""


def rungs_of(ladder: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what is tried one after the other; nothing for None."""
    return () if ladder is None else (ladder,) if isinstance(ladder, str) else ladder
