"""``verified-images validate``: all that is wrong with all templates, at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.commands.variables import add_variables, given_variables
from verified_images.errors import TemplateError, TemplateProblem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from verified_images.templates.loading import Loaded


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    validate = commands.add_parser("validate", help="check templates and report all that is wrong with them")
    validate.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a template, or a folder of them")
    add_variables(validate)
    validate.set_defaults(run=_validate)


def _validate(options: argparse.Namespace) -> int:
    errors: dict[TemplateProblem, None] = {}
    warnings: dict[TemplateProblem, None] = {}
    declared: set[str] = set()
    templates = failed = images = 0
    for path in options.paths:
        for found in _templates_under(path):
            templates += 1
            try:
                loaded = _load(found, options)
            except TemplateError as error:
                errors |= dict.fromkeys(error.problems)
                failed += 1
                continue
            images += len(loaded)
            declared |= {variable.name for item in loaded for variable in item.template.variables}
            warnings |= dict.fromkeys(warning for item in loaded for warning in item.warnings)
            refused = dict(found for item in loaded for found in _refused(item))
            errors |= dict.fromkeys(problem for problem, only_warned in refused.items() if not only_warned)
            warnings |= dict.fromkeys(problem for problem, only_warned in refused.items() if only_warned)
            failed += not all(refused.values())
    for problem in errors:
        sys.stdout.write(f"{problem}\n")
    for problem in warnings:
        sys.stdout.write(f"warning: {problem}\n")
    unknown = [] if failed else [name for name in given_variables(options) if name not in declared]
    for name in unknown:
        sys.stdout.write(f"--vi-var {name}: no template has this variable{_did_you_mean(name, declared)}\n")
    counts = f"{images} image(s) in {templates} template(s), {failed} with errors, {len(warnings)} warning(s)"
    sys.stdout.write(f"{counts}\n")
    return 1 if errors or unknown or not templates else 0


def _did_you_mean(name: str, declared: set[str]) -> str:
    from verified_images.templates.nearest import did_you_mean  # noqa: PLC0415 - only a mistake needs it

    return did_you_mean(name, sorted(declared)) if declared else ""


def _load(found: Path | TemplateError, options: argparse.Namespace) -> tuple[Loaded, ...]:
    from verified_images.templates.loading import load_templates  # noqa: PLC0415 - only this command needs it

    if isinstance(found, TemplateError):
        raise found
    return load_templates(found, variables=given_variables(options), variable_files=options.vi_var_file)


def _refused(loaded: Loaded) -> Iterator[tuple[TemplateProblem, bool]]:
    """Yield what a preflight would refuse before it asks the cloud anything, and whether that is only a warning."""
    from verified_images.stages.unsupported import WINDOWS, unsupported_problems  # noqa: PLC0415 - only this command needs it

    for sentence in unsupported_problems(loaded.template):
        key_path, _, message = sentence.partition(": ")
        yield loaded.problem(key_path, message), sentence == WINDOWS


def _templates_under(path: Path) -> Iterator[Path | TemplateError]:
    """Yield the path of each template, or what is wrong with a folder whose templates do not go together."""
    from verified_images.templates.finding import find_templates  # noqa: PLC0415 - only this command needs it

    if not path.is_dir():
        yield path
        return
    found = False
    for folder in (path, *sorted(inner for inner in path.rglob("*") if inner.is_dir())):
        try:
            templates: tuple[Path | TemplateError, ...] = find_templates(folder)
        except TemplateError as error:
            templates = (error,)
        yield from templates
        found = found or bool(templates)
    if not found:
        message = "there is no template in this folder: no template.yaml, and no azure-arm template of Packer"
        yield TemplateError([TemplateProblem(path, None, "", message)])
