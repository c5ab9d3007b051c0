"""The native template: ``template.yaml`` (or ``.yml``, ``.json``) in a spec's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, ValidationError

from verified_images.naming import DEFAULT_LIFETIME, Run, format_time
from verified_images.templates.base import TemplateModel
from verified_images.templates.composition import FileNames, bring_near, read_composed, read_data
from verified_images.templates.documents import fail
from verified_images.templates.fields import FrozenDict
from verified_images.templates.files import check_named_files
from verified_images.templates.matrix import Matrix, read_matrix
from verified_images.templates.model import Builder, ImageTarget, Smoke, Template, Timeouts, Variable
from verified_images.templates.post_processors import PostProcessor
from verified_images.templates.provisioners import AnyProvisioner
from verified_images.templates.rendering import Renderer, RenderError, UnknownValueError
from verified_images.templates.variables import Declarations, resolve_variables

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.documents import Document as Described
    from verified_images.templates.problems import KeyPath, Problems


class Document(TemplateModel):
    """A spec of verified-images: how an image is built and provisioned, where it goes, how it is smoke-tested."""

    extends: FileNames = ()
    """The files of the templates that this one is based on: it has their keys, unless it says something else."""
    matrix: Matrix | None = None
    """Variables with several values each: every combination is an image of its own."""
    data: Mapping[str, str] = Field(default_factory=FrozenDict)
    """Files of YAML, JSON or text by name: {{ data.name }} is what is in them."""
    variables: Declarations = Field(default_factory=FrozenDict)
    """Values that {{ var.name }} stands for."""
    builder: Builder
    """The virtual machine that is provisioned, tested and captured."""
    provisioners: tuple[AnyProvisioner, ...] = ()
    """What is done to the machine, in this order; {include: FILE} stands for the list in a file."""
    image: ImageTarget
    """Where the image goes."""
    smoke: Smoke = Smoke()
    """The throwaway scale set that is tested before anything is published."""
    timeouts: Timeouts = Timeouts()
    """How long each stage may take."""
    error_cleanup_provisioner: AnyProvisioner | None = None
    """What is done to the machine when one of the provisioners failed."""
    post_processors: tuple[PostProcessor, ...] = ()
    """What is done here once the image is published, in this order."""


_READ_BEFORE = ("matrix", "variables", "data")
"""The keys that are no part of an image."""


def load_template(
    file: Path,
    *,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    run: Run | None = None,
) -> Template:
    """Read a template that is built into one image, as ``load_native`` does.

    Raises:
        TemplateError: with every problem of the file; or it is built into several images.
    """
    found = load_native(file, variables=variables, environment=environment, run=run)
    if len(found) > 1:
        fail(file, f"the template gives several images: {', '.join(template.name for template in found)}")
    return found[0]


def load_native(
    file: Path,
    *,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    run: Run | None = None,
) -> tuple[Template, ...]:
    """Read, render and check a template, which gives one image for each row of its matrix; named files must exist.

    ``variables`` override those of the template; names that it does not declare are the caller's to report.
    ``environment`` is the process's own unless given. Without a ``run``, as when tests are collected, ``run.id`` and
    the like are placeholders of the same form.

    Raises:
        TemplateError: with every problem of the file, and of those that it is made of.
    """
    document = read_composed(file)
    if not isinstance(document.data, dict):
        fail(file, "a mapping is needed, with the keys builder, provisioners, image and smoke")
    name = file.absolute().parent.name
    reader = _Reader(
        file,
        document,
        {**(variables or {})},
        os.environ if environment is None else environment,
        _run_values(run or placeholder_run(name)),
    )
    rows = read_matrix(document.data.get("matrix"), document.problems, variables or {})
    found = [reader.read(row, f"{name}-{row.ending}" if row else name) for row in rows]
    document.problems.raise_if_any()
    return tuple(template for template in found if template is not None)


class _Reader(NamedTuple):
    """Makes templates of a document."""

    file: Path
    document: Described
    given: Mapping[str, str]
    environment: Mapping[str, str]
    run: Mapping[str, str]

    def read(self, row: Mapping[str, str], name: str) -> Template | None:
        """Return the template of one row of the matrix, or None after noting its problems."""
        problems, data = self.document.problems, self.document.data
        resolved = resolve_variables(data.get("variables"), problems, {**self.given, **row}, self.environment)
        values = {**row, **resolved.values}
        files = read_data(data.get("data"), Renderer(values, self.environment, self.run), problems)
        renderer = Renderer(values, self.environment, self.run, files)
        rendered = {
            key: None if key == "matrix" else {} if key in _READ_BEFORE else _render(value, (key,), renderer, problems)
            for key, value in data.items()
        }
        bring_near(rendered, self.file, problems)
        checked = _check(rendered, problems)
        provisioners = checked.provisioners if checked else rendered.get("provisioners")
        check_named_files(self.file.parent, provisioners, problems)
        if checked is None:
            return None
        declared = {variable.name: variable for variable in resolved.declared}
        facts = {
            "name": name,
            "file": self.file,
            "variables": tuple((dict(map(_declare, row)) | declared).values()),
            "secrets": renderer.secrets,
        }
        told = {key: value for key, value in checked if key in Template.model_fields}
        return Template.model_validate(told | facts, context={"provisioner_lines": self._lines(checked)})

    def _lines(self, checked: Document) -> dict[int, int | None]:
        """Return the lines of the provisioners that are in the template's own file."""
        problems = self.document.problems
        paths = [("provisioners", place) for place in range(len(checked.provisioners))]
        return {path[1]: problems.line_of(path) if problems.file_of(path) == self.file else None for path in paths}


def _declare(name: str) -> tuple[str, Variable]:
    return name, Variable(name=name)


def _check(rendered: Mapping[str, Any], problems: Problems) -> Document | None:
    try:
        return Document.model_validate(rendered)
    except ValidationError as error:
        problems.add_validation(error, rendered)
        return None


def _render(value: Any, path: KeyPath, renderer: Renderer, problems: Problems) -> Any:  # noqa: ANN401 - data
    """Return the value with every text in it rendered; a text that cannot be becomes an empty one."""
    if isinstance(value, Mapping):
        return {key: _render(item, (*path, key), renderer, problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, (*path, place), renderer, problems) for place, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return renderer.render(value)
    except RenderError as error:
        problems.add(path, str(error))
    except UnknownValueError:
        problems.spoil(path)
    return ""


def _run_values(run: Run) -> dict[str, str]:
    return {
        "id": run.id,
        "spec": run.spec,
        "owner": run.owner,
        "created": format_time(run.created),
        "expires": format_time(run.expires),
        "timestamp": run.created.astimezone(UTC).strftime("%Y%m%d%H%M%S"),
    }


def placeholder_run(spec: str) -> Run:
    """Return what stands for the run while tests are collected: of the same form, and the same each time."""
    now = datetime.now(UTC)
    return Run(id="a" * 8, spec=spec, owner="nobody", created=now, expires=now + DEFAULT_LIFETIME)
