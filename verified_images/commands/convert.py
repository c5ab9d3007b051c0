"""``verified-images convert``: a template of any kind, written as a native one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.commands.variables import add_variables, given_variables
from verified_images.errors import TemplateError

if TYPE_CHECKING:
    import argparse

    from verified_images.templates.loading import Loaded


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    convert = commands.add_parser("convert", help="write a Packer template as a native one")
    convert.add_argument("path", type=Path, metavar="PATH", help="a template, or the folder of one of HCL")
    convert.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="the file to write, or a folder, in which each image gets a folder of its own (default: standard output)",
    )
    convert.add_argument("--force", action="store_true", help="overwrite what is there")
    add_variables(convert)
    convert.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    try:
        loaded = load_one(options.path, options)
    except TemplateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    files = _files(options.output, loaded)
    if files is None:
        names = ", ".join(item.template.name for item in loaded)
        sys.stderr.write(f"{options.path} gives several images ({names}); name a folder with -o\n")
        return 1
    for item, file in zip(loaded, files, strict=True):
        if not _write(item, file, force=options.force):
            return 1
    return 0


def load_one(path: Path, options: argparse.Namespace) -> tuple[Loaded, ...]:
    """Return what the template at ``path`` gives; of a folder its one template.

    Raises:
        TemplateError: something is wrong with it, or the folder has none, or several.
    """
    from verified_images.templates.documents import fail  # noqa: PLC0415 - only commands that read templates need it
    from verified_images.templates.finding import find_templates  # noqa: PLC0415 - same
    from verified_images.templates.loading import load_templates  # noqa: PLC0415 - same

    if path.is_dir():
        found = find_templates(path)
        if len(found) != 1:
            names = ", ".join(template.name for template in found)
            fail(
                path, f"the folder has several templates; name one of them: {names}" if found else "there is none here"
            )
        path = found[0]
    return load_templates(path, variables=given_variables(options), variable_files=options.vi_var_file)


def _files(output: Path | None, loaded: tuple[Loaded, ...]) -> list[Path | None] | None:
    """Return where each template is written (None is standard output), or None where several would be one file."""
    if output is not None and output.is_dir():
        return [output / item.template.name / "template.yaml" for item in loaded]
    return [output] if len(loaded) == 1 else None


def _write(loaded: Loaded, file: Path | None, *, force: bool) -> bool:
    from verified_images.templates.conversion import to_native  # noqa: PLC0415 - only this command needs it

    if file is None:
        sys.stdout.write(to_native(loaded.template, loaded.warnings))
        return True
    if file.exists() and not force:
        sys.stderr.write(f"{file} is there already; give --force to overwrite it\n")
        return False
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(to_native(loaded.template, loaded.warnings, file.parent), "utf-8")
    except OSError as error:
        sys.stderr.write(f"{file} cannot be written: {error.strerror}\n")
        return False
    sys.stderr.write(f"{file}\n")
    return True
