"""Which specs have changed against a commit: the others are not built, and are named in the summary."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.fingerprints import dependencies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_plugin.specs import Spec


def unchanged_specs(specs: Iterable[Spec], ref: str, folder: Path) -> list[Spec]:
    """Give the specs that nothing has changed of since the commit at which this work left ``ref``.

    What is not committed yet counts as changed, also a file that git does not know.

    Raises:
        pytest.UsageError: this is no git repository, or it has no such commit.
    """
    top = Path(_git(folder, ref, "rev-parse", "--show-toplevel").strip())
    base = _git(top, ref, "merge-base", ref, "HEAD").strip()
    names = _git(top, ref, "diff", "--name-only", "--no-renames", "-z", base).split("\0")
    names += _git(top, ref, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    changed = [top / name for name in names if name]
    return [spec for spec in specs if not _concerns(changed, spec)]


def _concerns(changed: Sequence[Path], spec: Spec) -> bool:
    """Tell whether one of the files is one that the spec depends on, or in a folder that it does."""
    needed = [path.resolve() for path in dependencies(spec)]
    return any(file.resolve().is_relative_to(path) for file in changed for path in needed)


def _git(folder: Path, ref: str, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    except OSError as error:
        raise pytest.UsageError(f"--vi-changed-since={ref}: git cannot be run: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.strip().splitlines() or [f"'git {words[0]}' found none: is the history complete?"]
        raise pytest.UsageError(f"--vi-changed-since={ref}: {told[-1]}") from error
    return done.stdout
