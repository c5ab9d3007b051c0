"""The front door to templates of every kind: what they say, as one or more templates of the model."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from verified_images.errors import TemplateProblem
from verified_images.templates.advice import advice_on
from verified_images.templates.documents import fail, read_document
from verified_images.templates.finding import HCL_ENDINGS, is_packer_json
from verified_images.templates.native import load_native, placeholder_run
from verified_images.templates.packer.inputs import Inputs
from verified_images.templates.packer.variable_files import read_variable_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.naming import Run
    from verified_images.templates.model import Template
    from verified_images.templates.packer.findings import Place

_NAMED_BY_THE_FOLDER = ("template", "packer", "build", "main", "azure", "azure-arm")


class Loaded(NamedTuple):
    """A template, and what of its file has no effect here, or another one than where it comes from."""

    template: Template
    warnings: tuple[TemplateProblem, ...]
    places: Mapping[str, tuple[Place, str]] = MappingProxyType({})
    """For keys of the template: where Packer's own has the value, and under which path."""

    def problem(self, key_path: str, message: str) -> TemplateProblem:
        """Return a problem with the value of a key, where it stands in the template's file."""
        if key_path in self.places:
            place, shown = self.places[key_path]
            return TemplateProblem(place.file, place.line, shown, message)
        file = self.template.file
        line = None if self.places else read_document(file).problems.line_of(tuple(key_path.split(".")))
        return TemplateProblem(file, line, key_path, message)


def load_templates(
    path: Path,
    *,
    variables: Mapping[str, str] | None = None,
    variable_files: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    run: Run | None = None,
) -> tuple[Loaded, ...]:
    """Read a template: a native one, or Packer's, which gives a template for each of its azure-arm builds.

    ``path`` is one that ``find_templates`` gave, or a single file of HCL. ``variables`` come before what the
    ``variable_files`` say. ``environment`` is the process's own unless given. Without a ``run``, as when tests are
    collected, what is made from it are placeholders.

    Raises:
        TemplateError: with every problem of the template.
    """
    environment = os.environ if environment is None else environment
    if not path.is_dir() and not path.name.endswith(HCL_ENDINGS) and not is_packer_json(path):
        given: dict[str, str] = {}
        for file in variable_files:
            given |= read_variable_texts(file)
        given |= variables or {}
        found = load_native(path, variables=given, environment=environment, run=run)
        return tuple(Loaded(item, advice_on(item)) for item in found)
    name = _name(path)
    inputs = Inputs(variables or {}, tuple(variable_files), environment, Path.cwd(), run or placeholder_run(name))
    if path.is_dir() or path.name.endswith(HCL_ENDINGS):
        from verified_images.templates.packer.hcl.template import load_packer_hcl  # noqa: PLC0415 - its grammar is slow to load

        made, warnings = load_packer_hcl(path, name, inputs)
    else:
        from verified_images.templates.packer.json_template import load_packer_json  # noqa: PLC0415 - the same

        made, warnings = load_packer_json(path, name, inputs)
    return tuple(Loaded(found.template, warnings, found.places) for found in made)


def _name(path: Path) -> str:
    """Return the spec's name: the folder's, unless the file has a name that tells more."""
    absolute = path.absolute()
    if path.is_dir():
        return absolute.name
    if not absolute.is_file():
        fail(path, "there is no such file")
    stem = path.name.partition(".pkr.")[0].removesuffix(".json")
    return absolute.parent.name if stem.lower() in _NAMED_BY_THE_FOLDER else stem
