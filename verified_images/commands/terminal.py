"""What commands have in common: where they tell what they do, and where the local Azure is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def tell(line: str) -> None:
    """Write a line for people, beside the output that is for programs."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def add_state(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the folder of the local Azure."""
    parser.add_argument("--state", type=Path, help="folder of the local Azure (default: the user's own)")


def state_folder(options: argparse.Namespace) -> Path:
    """Give the folder of the local Azure that the options name."""
    from verified_images.emulator import default_state  # noqa: PLC0415 - only the commands that need it

    return Path(options.state or default_state())
