"""The order in which items run.

A *visit* is a run of items of one spec, one stage and one module: the unit that a scheduler may place, since
users' module fixtures are set up once a visit. Visits of one spec follow its stages; specs follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.specs import Spec, spec_of
from pytest_plugin.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

stage_key = pytest.StashKey[Stage]()


@dataclass(frozen=True, slots=True)
class Visit:
    """Items that run one after the other; ``spec`` and ``stage`` are None for tests outside specs."""

    spec: Spec | None
    stage: Stage | None
    module: Path
    items: tuple[pytest.Item, ...]


def stage_of(item: pytest.Item) -> Stage | None:
    """Give the stage that an item of a spec belongs to, or None for an item outside specs."""
    return item.stash.get(stage_key, None)


def plan_visits(items: Sequence[pytest.Item]) -> list[Visit]:
    """Put the items in the order in which they run.

    A spec's items gather where its first one is, stage after stage; within a stage, and outside specs, the
    order that the items came in is kept.
    """
    places: dict[Spec, int] = {}
    keyed: list[tuple[int, int, pytest.Item]] = []
    for place, item in enumerate(items):
        spec, stage = spec_of(item), stage_of(item)
        if spec is None or stage is None:
            keyed.append((place, 0, item))
        else:
            keyed.append((places.setdefault(spec, place), stage.rank, item))
    keyed.sort(key=lambda entry: entry[:2])
    ordered = [item for _, _, item in keyed]
    grouped = groupby(ordered, key=lambda item: (spec_of(item), stage_of(item), item.path))
    return [Visit(spec, stage, path, tuple(group)) for (spec, stage, path), group in grouped]


def in_order(visits: Iterable[Visit]) -> list[pytest.Item]:
    """Give the items of the visits, one after the other."""
    return [item for visit in visits for item in visit.items]
