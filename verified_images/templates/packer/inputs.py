"""What a Packer template is read with, besides its own files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verified_images.naming import Run


class Inputs(NamedTuple):
    """The variables given on the command line, the files of variables, the environment, and where the run was started.

    ``variables`` come before what the ``variable_files`` say.
    """

    variables: Mapping[str, str]
    variable_files: tuple[Path, ...]
    environment: Mapping[str, str]
    working_folder: Path
    run: Run
