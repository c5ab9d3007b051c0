"""Reading a spec's template with the variables that the options give."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import TemplateError, VerifiedImagesError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_plugin.options import Settings
    from verified_images.naming import Run
    from verified_images.templates.loading import Loaded
    from verified_images.templates.model import Template


def read_templates(path: Path, settings: Settings, run: Run | None = None) -> tuple[Loaded, ...]:
    """Read what a template says; without a run, what it says of its run is a placeholder.

    Raises:
        TemplateError: something is wrong with it.
        pytest.UsageError: a file of variables is none.
    """
    from verified_images.templates.loading import load_templates  # noqa: PLC0415 - only runs with specs pay for it

    files = settings.variable_files
    try:
        loaded = load_templates(path, variables=settings.variables, variable_files=files, run=run)
    except TemplateError as error:
        for problem in error.problems:
            if problem.file in files:
                raise pytest.UsageError(f"--vi-var-file {problem}") from error
        raise
    return tuple(item._replace(template=_with_options(item.template, settings)) for item in loaded)


def _with_options(template: Template, settings: Settings) -> Template:
    """Return the template with what the command line says in its place: address ranges and time-outs."""
    changes: dict[str, object] = {}
    if settings.allow_from:
        ranges = {"allowed_inbound_ip_addresses": settings.allow_from}
        changes["builder"] = template.builder.model_copy(update=ranges)
    if settings.timeouts:
        changes["timeouts"] = template.timeouts.model_copy(update=settings.timeouts)
    return template.model_copy(update=changes)


def check_named(settings: Settings, templates: Iterable[Template]) -> None:
    """Look whether some template has each variable that the command line names.

    Raises:
        pytest.UsageError: none has it; the error gives the nearest name.
    """
    declared = {variable.name for template in templates for variable in template.variables}
    for name in settings.named:
        if name not in declared:
            near = get_close_matches(name, declared, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise pytest.UsageError(f"--vi-var {name}: no template has this variable{hint}")


def explain(error: BaseException) -> str:
    """Give one line that says what went wrong, for skip reasons and summaries."""
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, VerifiedImagesError) else f"{type(error).__name__}: {text}"
