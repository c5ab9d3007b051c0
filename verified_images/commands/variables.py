"""The options that give values to variables of templates, as pytest has them too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_variables(parser: argparse.ArgumentParser) -> None:
    """Declare ``--vi-var`` and ``--vi-var-file``, as pytest has them."""
    parser.add_argument(
        "--vi-var",
        action="append",
        default=[],
        type=_parse_variable,
        metavar="NAME=VALUE",
        help="value of a template variable; may be given several times",
    )
    parser.add_argument(
        "--vi-var-file",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="YAML, JSON or *.pkrvars.hcl file with values of template variables; may be given several times",
    )


def given_variables(options: argparse.Namespace) -> Mapping[str, str]:
    """Return the variables of the command line."""
    return dict(options.vi_var)


def _parse_variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=VALUE")
    return name.strip(), value
