"""Specs: folders that hold a template, and what of them a test runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import TemplateError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_plugin.options import Settings
    from pytest_plugin.stages import Stage
    from verified_images.templates.model import Template

TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")

# Other tools use these file names too (ARM deployments, AWS SAM): a file with none of our keys is not ours, one
# with a misspelt key beside a right one is, and so is an empty one.
OUR_KEYS = re.compile(r"""(?m)\A\s*\Z|^(?:[\s{]*["'])?(?:builder|provisioners|image|smoke)["']?\s*:""")


class Spec:
    """A folder with a template. The template is read at first use, and again when its build starts."""

    def __init__(self, file: Path, node: pytest.Directory, settings: Settings) -> None:
        self.file = file
        self.folder = file.parent
        self.name = self.folder.name
        self.node = node
        self.settings = settings

    def __repr__(self) -> str:
        return f"<Spec {self.name}>"

    @cached_property
    def outcome(self) -> Template | TemplateError:
        """The template as it is without a run, or what is wrong with it."""
        from pytest_plugin.templates import read_template  # noqa: PLC0415 - only runs with specs pay for it
        from verified_images.templates.native import find_template  # noqa: PLC0415 - same

        try:
            find_template(self.folder)
            return read_template(self.file, self.settings)
        except TemplateError as error:
            return error

    @property
    def template(self) -> Template:
        """The template as it is without a run.

        Raises:
            TemplateError: something is wrong with it.
        """
        if isinstance(self.outcome, TemplateError):
            raise self.outcome
        return self.outcome

    @property
    def error(self) -> TemplateError | None:
        """What is wrong with the template, if something is."""
        return self.outcome if isinstance(self.outcome, TemplateError) else None

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

    @property
    def id(self) -> str:
        """The target's part of a node id: ``debian-nginx``, or ``debian-nginx-0`` for the first instance."""
        return self.spec.name if self.instance is None else f"{self.spec.name}-{self.instance}"


spec_key = pytest.StashKey[Spec]()


def find_template_file(folder: Path) -> Path | None:
    """Give the folder's template, or None: the folder is not a spec."""
    for name in TEMPLATE_NAMES:
        file = folder / name
        if file.is_file() and OUR_KEYS.search(file.read_text("utf-8", errors="replace")):
            return file
    return None


def spec_of(node: pytest.Item | pytest.Collector) -> Spec | None:
    """Give the spec that a node of the collection tree belongs to, or None."""
    for parent in node.iter_parents():
        spec = parent.stash.get(spec_key, None)
        if spec is not None:
            return spec
    return None
