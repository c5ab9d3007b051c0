"""The front door to templates of every kind: which files of a folder are templates, and what they say.

A folder holds a template if it holds

- ``template.yaml``, ``template.yml`` or ``template.json``: the native kind; or
- a ``*.json`` with ``builders``, be it named ``template.json``: Packer's JSON, each file a template of its own; or
- ``*.pkr.hcl`` or ``*.pkr.json``: Packer's HCL, all of them together one template, which is named by the folder.

Files of variables (``*.pkrvars.hcl``, ``*.pkrvars.json``, a ``*.json`` without ``builders``) are no templates.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from verified_images.templates.documents import LARGEST_FILE, fail
from verified_images.templates.native import find_template, load_template, placeholder_run
from verified_images.templates.packer.inputs import Inputs
from verified_images.templates.variables import load_variables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.errors import TemplateProblem
    from verified_images.naming import Run
    from verified_images.templates.model import Template

_HCL = (".pkr.hcl", ".pkr.json")
_NOT_JSON_TEMPLATES = (*_HCL, ".pkrvars.json")
_NAMED_BY_THE_FOLDER = ("template", "packer", "build", "main", "azure", "azure-arm")


class Loaded(NamedTuple):
    """A template, and what of its file has no effect here, or another one than where it comes from."""

    template: Template
    warnings: tuple[TemplateProblem, ...]


def find_templates(folder: Path) -> tuple[Path, ...]:
    """Return what is a template in a folder: files, and the folder itself where it holds a template of Packer's HCL.

    Raises:
        TemplateError: it has several native templates.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return ()
    native = None
    if any(name in {"template.yaml", "template.yml"} for name in names) or _is_native_json(folder / "template.json"):
        native = find_template(folder)
    packer = [
        folder / name
        for name in names
        if name.endswith(".json") and not name.endswith(_NOT_JSON_TEMPLATES) and is_packer_json(folder / name)
    ]
    hcl = (folder,) if any(name.endswith(_HCL) for name in names) else ()
    return (*(() if native is None or native in packer else (native,)), *packer, *hcl)


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
    if not path.is_dir() and not path.name.endswith(_HCL) and not is_packer_json(path):
        given: dict[str, str] = {}
        for file in variable_files:
            given |= load_variables(file)
        template = load_template(path, variables={**given, **(variables or {})}, environment=environment, run=run)
        return (Loaded(template, ()),)
    name = _name(path)
    inputs = Inputs(variables or {}, tuple(variable_files), environment, Path.cwd(), run or placeholder_run(name))
    if path.is_dir() or path.name.endswith(_HCL):
        from verified_images.templates.packer.hcl.template import load_packer_hcl  # noqa: PLC0415 - its grammar is slow to load

        templates, warnings = load_packer_hcl(path, name, inputs)
    else:
        from verified_images.templates.packer.json_template import load_packer_json  # noqa: PLC0415 - the same

        templates, warnings = load_packer_json(path, name, inputs)
    return tuple(Loaded(template, warnings) for template in templates)


def is_packer_json(file: Path) -> bool:
    """Tell whether a file is a JSON template of Packer, be it one with a mistake in its syntax."""
    if file.suffix.lower() != ".json":
        return False
    text = _read(file)
    if '"builders"' not in text:
        return False
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return '"builder"' not in text
    return isinstance(data, dict) and "builders" in data


def _is_native_json(file: Path) -> bool:
    return file.is_file() and not is_packer_json(file)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_FILE + 1).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ""


def _name(path: Path) -> str:
    """Return the spec's name: the folder's, unless the file has a name that tells more."""
    absolute = path.absolute()
    if path.is_dir():
        return absolute.name
    if not absolute.is_file():
        fail(path, "there is no such file")
    stem = path.name.partition(".pkr.")[0].removesuffix(".json")
    return absolute.parent.name if stem.lower() in _NAMED_BY_THE_FOLDER else stem
