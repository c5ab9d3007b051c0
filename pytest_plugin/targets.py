"""What a test of a spec runs on, and when: by its fixtures, or outright by its ``stage`` marker."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.specs import Target
from pytest_plugin.stages import TESTED_AFTER, Stage

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_plugin.specs import Spec, SpecFolder

FIXTURES = frozenset({"template", "vm", "host", "image", "scale_set", "instance"})
# What a test cannot ask for in a stage, since it is not there yet or not there any more.
ABSENT = {
    Stage.MACHINE: {"image", "scale_set", "instance"},
    Stage.IMAGE: {"host", "scale_set", "instance"},
    Stage.SCALE_SET: set[str](),
}


def stages_of(node: pytest.Item, fixtures: Collection[str]) -> tuple[Stage, ...]:
    """Give the stages that a test runs in.

    Raises:
        CollectError: its marker says something that cannot be.
    """
    marker = node.get_closest_marker("stage")
    if marker is None:
        return (_stage_by(fixtures),)
    stages = tuple(sorted({_named(name, node) for name in marker.args}, key=lambda stage: stage.rank))
    if not stages:
        raise _wrong(node, "@pytest.mark.stage names no stage")
    asked = set(fixtures) & FIXTURES
    # With several stages each run has its own machine, and what one of them lacks is for the test to skip.
    if len(stages) == 1 and (absent := asked & ABSENT[stages[0]]):
        raise _wrong(node, f"the fixture '{min(absent)}' is not there in the stage '{stages[0]}' of its marker")
    return stages


def meant_specs(folder: SpecFolder, node: pytest.Item) -> tuple[Spec, ...]:
    """Give the specs of its folder that a test is for: all, or those that its ``spec`` marker names.

    Raises:
        CollectError: its marker names none of them.
    """
    marker = node.get_closest_marker("spec")
    if marker is None:
        return folder.specs
    names = [spec.name for spec in folder.specs]
    for pattern in marker.args:
        if not any(fnmatchcase(name, str(pattern)) for name in names):
            near = get_close_matches(str(pattern), names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
            raise _wrong(node, f"@pytest.mark.spec: the folder has no spec '{pattern}'; {hint}")
    return tuple(spec for spec in folder.specs if any(fnmatchcase(spec.name, str(name)) for name in marker.args))


def targets_of(spec: Spec, stages: tuple[Stage, ...], fixtures: Collection[str]) -> list[Target]:
    """Give what a test runs on: the spec itself, and each instance for a scale-set test that is about instances."""
    each = len(stages) > 1 or not {"host", "instance"}.isdisjoint(fixtures)
    targets: list[Target] = []
    for stage in stages:
        if stage is Stage.SCALE_SET and each:
            targets += [Target(spec, stage, index) for index in range(spec.instances)]
        else:
            targets.append(Target(spec, stage))
    return targets


def _stage_by(fixtures: Collection[str]) -> Stage:
    """Give the stage that follows from what a test asks for."""
    asked = set(fixtures)
    if asked & {"scale_set", "instance"}:
        return Stage.SCALE_SET
    if "image" in asked:
        # The build VM is gone once there is an image, so a host can only be an instance.
        return Stage.SCALE_SET if "host" in asked else Stage.IMAGE
    return Stage.MACHINE


def _named(name: object, node: pytest.Item) -> Stage:
    names = [stage.value for stage in TESTED_AFTER]
    if name in names:
        return Stage(name)
    near = get_close_matches(str(name), names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
    raise _wrong(node, f"@pytest.mark.stage: there is no stage '{name}'; {hint}")


def _wrong(node: pytest.Item, message: str) -> Exception:
    file, line, _ = node.reportinfo()
    return pytest.Collector.CollectError(f"{file}:{(line or 0) + 1}: {node.name}: {message}")
