"""``verified-images schema``: the JSON Schema of the native template."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    schema = commands.add_parser("schema", help="print the JSON Schema of the native template, for editors")
    schema.set_defaults(run=_print_schema)


def _print_schema(options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415 - only the commands that need it

    from verified_images.templates.schema import json_schema  # noqa: PLC0415 - same

    del options
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0
