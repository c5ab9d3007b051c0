"""Specs: what the templates of a folder are built into, and what of them a test runs on.

A folder holds one template or several, and a template may give several specs: one for each azure-arm build of a Packer
template, or for each row of a matrix. The test modules of the folder are those of all its specs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import TemplateError, TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_plugin.options import Settings
    from pytest_plugin.stages import Stage
    from verified_images.naming import Run
    from verified_images.templates.loading import Loaded
    from verified_images.templates.model import Template

TARGET = "_vi_target"
"""The parameter of a test that says what it runs on."""


class SpecFolder:
    """A folder with templates; they are read at first use."""

    def __init__(self, path: Path, node: pytest.Directory, settings: Settings) -> None:
        self.path = path
        self.node = node
        self.settings = settings

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """The templates; one that stands for what is wrong with the folder, where they do not go together."""
        from verified_images.templates.finding import find_templates  # noqa: PLC0415 - only runs with specs pay for it

        try:
            return tuple(Origin(path, self) for path in find_templates(self.path))
        except TemplateError as error:
            return (Origin(error.problems[0].file, self, error),)

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """The specs of all templates; of two with one name the second one is an error."""
        found: dict[str, Spec] = {}
        for spec in (spec for origin in self.origins for spec in origin.specs):
            if (other := found.get(spec.name)) is not None and spec.error is None:
                spec.refuse(f"another template of the folder, '{other.file.name}', gives a spec '{spec.name}' too")
            found[spec.name if other is None else f"{spec.name}-{len(found)}"] = spec
        return tuple(found.values())


class Origin:
    """A template as its author wrote it: the ``path`` that it is read from."""

    def __init__(self, path: Path, folder: SpecFolder, error: TemplateError | None = None) -> None:
        self.path = path
        self.folder = folder
        self._error = error

    @cached_property
    def outcome(self) -> tuple[Loaded, ...] | TemplateError:
        """What it says without a run, or what is wrong with it."""
        if self._error is not None:
            return self._error
        try:
            return self.read()
        except TemplateError as error:
            return error

    def read(self, run: Run | None = None) -> tuple[Loaded, ...]:
        """Read it, for a run or for none.

        Raises:
            TemplateError: something is wrong with it.
        """
        from pytest_plugin.templates import read_templates  # noqa: PLC0415 - only runs with specs pay for it

        return read_templates(self.path, self.folder.settings, run)

    @cached_property
    def file(self) -> Path:
        """The file that stands for it: of several files of HCL that with the build, or with the first mistake."""
        if self.path != self.folder.path:
            return self.path
        files = sorted(file for file in self.path.iterdir() if file.name.endswith((".pkr.hcl", ".pkr.json")))
        outcome = self.outcome
        told = outcome.problems[0].file if isinstance(outcome, TemplateError) else outcome[0].template.file
        return next((file for file in files if file.name == told.name), files[0])

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """What it is built into; one spec for a template that cannot be read."""
        if isinstance(self.outcome, TemplateError):
            name = self.path.name if self.path == self.folder.path else self.path.name.partition(".")[0]
            return (Spec(self.folder.path.name if name == "template" else name, self, self.outcome),)
        return tuple(Spec(loaded.template.name, self, loaded) for loaded in self.outcome)


class Spec:
    """An image to be built: a template as it is without a run. It is read again when its build starts."""

    def __init__(self, name: str, origin: Origin, outcome: Loaded | TemplateError) -> None:
        self.name = name
        self.origin = origin
        self._outcome = outcome

    def __repr__(self) -> str:
        return f"<Spec {self.name}>"

    @property
    def file(self) -> Path:
        """The template's file."""
        return self.origin.file

    @property
    def folder(self) -> Path:
        """The folder of the template and its tests."""
        return self.origin.folder.path

    @property
    def node(self) -> pytest.Directory:
        """The folder's node."""
        return self.origin.folder.node

    @property
    def template(self) -> Template:
        """The template as it is without a run.

        Raises:
            TemplateError: something is wrong with it.
        """
        if isinstance(self._outcome, TemplateError):
            raise self._outcome
        return self._outcome.template

    def read(self, run: Run) -> Template:
        """Read the template for a run.

        Raises:
            TemplateError: something is wrong with it by now.
        """
        for loaded in self.origin.read(run):
            if loaded.template.name == self.name:
                return loaded.template
        raise TemplateError(
            [TemplateProblem(self.file, None, "", f"the template gives no spec '{self.name}' any more")]
        )

    @property
    def error(self) -> TemplateError | None:
        """What is wrong with the template, if something is."""
        return self._outcome if isinstance(self._outcome, TemplateError) else None

    @property
    def warnings(self) -> tuple[TemplateProblem, ...]:
        """What of the template has no effect here, or another one than where it comes from."""
        return () if isinstance(self._outcome, TemplateError) else self._outcome.warnings

    def refuse(self, message: str) -> None:
        """Say that the spec cannot be built, for a reason that its template alone does not show."""
        self._outcome = TemplateError([TemplateProblem(self.file, None, "", message)])

    @property
    def instances(self) -> int:
        """How many machines the scale set has; 1 for a template that cannot be read."""
        return 1 if self.error else self.template.smoke.instances


@dataclass(frozen=True, slots=True)
class Target:
    """What one test runs on: the spec, the stage it belongs to, and the instance where it is about one."""

    spec: Spec
    stage: Stage
    instance: int | None = None

    def __repr__(self) -> str:
        return self.id

    @property
    def id(self) -> str:
        """The target's part of a node id: ``debian-nginx``, or ``debian-nginx-0`` for the first instance."""
        return self.spec.name if self.instance is None else f"{self.spec.name}-{self.instance}"


folder_key = pytest.StashKey[SpecFolder]()
origin_key = pytest.StashKey[Origin]()
spec_key = pytest.StashKey[Spec]()


def specs_of(node: pytest.Item | pytest.Collector) -> tuple[Spec, ...]:
    """Give the specs that a node of the collection tree belongs to: an item to one, a module to all of its folder."""
    target = node.callspec.params.get(TARGET) if hasattr(node, "callspec") else None
    if isinstance(target, Target):
        return (target.spec,)
    for parent in node.iter_parents():
        if (spec := parent.stash.get(spec_key, None)) is not None:
            return (spec,)
        if (origin := parent.stash.get(origin_key, None)) is not None:
            return origin.specs
        if (folder := parent.stash.get(folder_key, None)) is not None:
            return folder.specs
    return ()


def spec_of(node: pytest.Item | pytest.Collector) -> Spec | None:
    """Give the spec that a node is run for, which is the first of those that it belongs to; None outside specs."""
    return next(iter(specs_of(node)), None)


def folder_of(node: pytest.Item | pytest.Collector) -> SpecFolder | None:
    """Give the folder of specs that a node is in, or None."""
    found: Iterator[SpecFolder | None] = (parent.stash.get(folder_key, None) for parent in node.iter_parents())
    return next((folder for folder in found if folder is not None), None)
