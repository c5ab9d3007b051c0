"""What a spec is made of: the files that it depends on, and the fingerprint of all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.inputs import digest_files, fingerprint, fingerprint_image, fixed_run, named_paths
from verified_images.templates.reading import noting_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from pytest_plugin.specs import Spec


def image_fingerprint(spec: Spec) -> str:
    """Give the fingerprint of what is done to a spec's machine."""
    return fingerprint_image(spec.read(fixed_run(spec.name)))


def spec_fingerprint(spec: Spec, source_version: str) -> str:
    """Give the fingerprint of a spec, with its tests, built from one exact version of its source."""
    return fingerprint(spec.read(fixed_run(spec.name)), test_files(spec), source_version)


def test_files(spec: Spec) -> tuple[Path, ...]:
    """Give the Python files of a spec's folder, and each conftest.py above it up to the root."""
    return (*sorted(spec.folder.rglob("*.py")), *conftests_above(spec.folder, spec.node.config.rootpath))


def conftests_above(folder: Path, root: Path) -> Iterator[Path]:
    """Give each conftest.py in the folders above one, up to the root."""
    for parent in folder.parents:
        if parent.is_relative_to(root) and (file := parent / "conftest.py").is_file():
            yield file


def test_digest(item: pytest.Item) -> str:
    """Give the digest of a test's module and of each conftest.py that it sees."""
    conftest = item.path.parent / "conftest.py"
    return digest_files([item.path, conftest, *conftests_above(item.path.parent, item.config.rootpath)])


def dependencies(spec: Spec) -> tuple[Path, ...]:
    """Give the files and folders that a spec depends on: all of its folder, and what it uses from elsewhere."""
    with noting_files() as read:
        template = spec.read(fixed_run(spec.name))
    settings = spec.origin.folder.settings
    conftests = conftests_above(spec.folder, spec.node.config.rootpath)
    return (spec.folder, *read, *named_paths(template), *settings.variable_files, *conftests)
