"""Whether the workers of pytest-xdist will find specs, in which case their controller has something to do.

Every run with workers asks this, be there specs or not: nothing heavy is imported.
"""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.templates.finding import holds_templates

if TYPE_CHECKING:
    from collections.abc import Iterator


def distribute(config: pytest.Config) -> None:
    """Prepare the controller of a distributed session, if there are specs in it.

    Raises:
        pytest.UsageError: the workers would each build every image.
    """
    if hasattr(config, "workerinput") or config.getoption("collectonly") or not any(_specs_below(config)):
        return
    if config.getoption("dist") == "each":
        raise pytest.UsageError("--dist=each would build every image once a worker; leave it out")
    from pytest_plugin.distribution import Distribution  # noqa: PLC0415 - only runs with specs pay for it

    config.pluginmanager.register(Distribution(config), "verified_images_distribution")


def _specs_below(config: pytest.Config) -> Iterator[Path]:
    """Find the specs that the session's arguments lead to; collection itself happens in the workers."""
    start_folder = config.invocation_params.dir
    for argument in config.args:
        path = start_folder / argument.partition("::")[0]
        if path.is_dir():
            yield from _walk(path, config.getini("norecursedirs"))
        yield from (folder for folder in path.parents if holds_templates(folder))


def _walk(top: Path, left_out: list[str]) -> Iterator[Path]:
    for folder, subfolders, _ in os.walk(top):
        subfolders[:] = [name for name in subfolders if not any(fnmatch(name, pattern) for pattern in left_out)]
        if holds_templates(Path(folder)):
            yield Path(folder)
