"""``verified-images validate``: every mistake of every template, at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    validate = commands.add_parser("validate", help="check templates and report all that is wrong with them")
    validate.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a template, or a folder of specs")
    validate.set_defaults(run=_validate)


def _validate(options: argparse.Namespace) -> int:
    from verified_images.errors import TemplateError  # noqa: PLC0415 - only the commands that need it
    from verified_images.templates.native import load_template  # noqa: PLC0415 - same

    files = [file for path in options.paths for file in _templates_under(path)]
    failed = 0
    for file in files:
        try:
            load_template(file)
        except TemplateError as error:
            failed += 1
            sys.stdout.write(f"{error}\n")
    sys.stdout.write(f"{len(files)} template(s), {failed} with errors\n")
    return 1 if failed or not files else 0


def _templates_under(path: Path) -> list[Path]:
    from verified_images.templates.native import find_template  # noqa: PLC0415 - only the commands that need it

    if path.is_file() or not path.exists():
        return [path]
    folders = (path, *sorted(folder for folder in path.rglob("*") if folder.is_dir()))
    return [template for folder in folders if (template := find_template(folder))]
