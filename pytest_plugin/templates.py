"""Reading a spec's template with the variables that the options give."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import VerifiedImagesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_plugin.options import Settings
    from verified_images.naming import Run
    from verified_images.templates.model import Template


def read_template(file: Path, settings: Settings, run: Run | None = None) -> Template:
    """Read the template; without a run, what it says of its run is a placeholder.

    Raises:
        TemplateError: something is wrong with it.
    """
    from verified_images.templates.native import load_template  # noqa: PLC0415 - only runs with specs pay for it

    template = load_template(file, variables=read_variables(settings), run=run)
    if settings.allow_from:
        builder = template.builder.model_copy(update={"allowed_inbound_ip_addresses": settings.allow_from})
        template = template.model_copy(update={"builder": builder})
    return template


def read_variables(settings: Settings) -> Mapping[str, str]:
    """Give the variables of the variable file, overridden by those of the command line.

    Raises:
        pytest.UsageError: the file is not a mapping of names to plain values.
    """
    if settings.variable_file is None:
        return settings.variables
    from ruamel.yaml import YAML  # noqa: PLC0415 - only runs with a variable file pay for it
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - same

    try:
        values = YAML(typ="safe", pure=True).load(settings.variable_file.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"--vi-var-file {settings.variable_file}: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(value, str | int | float) for value in values.values()):
        raise pytest.UsageError(f"--vi-var-file {settings.variable_file}: must be a mapping of names to plain values")
    return {**{str(name): str(value) for name, value in values.items()}, **settings.variables}


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
