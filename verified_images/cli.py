"""The ``verified-images`` command: all that is not building, which is ``pytest specs/``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from verified_images.commands import convert, init, local, reap, schema, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (validate, convert, init, schema, reap, local)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0 when all is well, 1 when not, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verified-images", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
