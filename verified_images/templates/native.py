"""The native template: ``template.yaml`` (or ``.yml``, ``.json``) in a spec's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from verified_images.naming import DEFAULT_LIFETIME, Run, format_time
from verified_images.templates.base import TemplateModel
from verified_images.templates.documents import fail, read_document
from verified_images.templates.fields import FrozenDict
from verified_images.templates.files import check_named_files
from verified_images.templates.model import Builder, ImageTarget, Smoke, Template
from verified_images.templates.post_processors import PostProcessor
from verified_images.templates.provisioners import AnyProvisioner
from verified_images.templates.rendering import Renderer, RenderError, UnknownValueError
from verified_images.templates.variables import Declarations, resolve_variables

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.problems import KeyPath, Problems


class Document(TemplateModel):
    """A spec of verified-images: how an image is built and provisioned, where it goes, how it is smoke-tested."""

    variables: Declarations = Field(default_factory=FrozenDict)
    """Values that {{ var.name }} stands for."""
    builder: Builder
    """The virtual machine that is provisioned, tested and captured."""
    provisioners: tuple[AnyProvisioner, ...] = ()
    """What is done to the machine, in this order."""
    image: ImageTarget
    """Where the image goes."""
    smoke: Smoke = Smoke()
    """The throwaway scale set that is tested before anything is published."""
    error_cleanup_provisioner: AnyProvisioner | None = None
    """What is done to the machine when one of the provisioners failed."""
    post_processors: tuple[PostProcessor, ...] = ()
    """What is done here once the image is published, in this order."""


def load_template(
    file: Path,
    *,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    run: Run | None = None,
) -> Template:
    """Read, render and check a template; the files that it names must exist.

    ``variables`` override those of the template; names that it does not declare are the caller's to report.
    ``environment`` is the process's own unless given. Without a ``run``, as when tests are collected, ``run.id`` and
    the like are placeholders of the same form.

    Raises:
        TemplateError: with every problem of the file.
    """
    environment = os.environ if environment is None else environment
    document = read_document(file)
    problems, data = document.problems, document.data
    if not isinstance(data, dict):
        fail(file, "a mapping is needed, with the keys builder, provisioners, image and smoke")
    resolved = resolve_variables(data.get("variables"), problems, variables or {}, environment)
    name = file.absolute().parent.name
    renderer = Renderer(resolved.values, environment, _run_values(run or placeholder_run(name)))
    rendered = {
        key: {} if key == "variables" else _render(value, (key,), renderer, problems) for key, value in data.items()
    }
    checked = _check(rendered, problems)
    check_named_files(file.parent, checked.provisioners if checked else rendered.get("provisioners"), problems)
    problems.raise_if_any()
    facts = {"name": name, "file": file, "variables": resolved.declared, "secrets": renderer.secrets}
    lines = {place: problems.line_of(("provisioners", place)) for place in range(len(rendered.get("provisioners", ())))}
    return Template.model_validate(dict(checked or ()) | facts, context={"provisioner_lines": lines})


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
