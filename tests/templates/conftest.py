"""A spec folder to write templates into, and what is wrong with a template as (line, key path, message)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import TemplateError
from verified_images.templates.model import Template
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.naming import Run

Load = Callable[..., Template]
Mistakes = Callable[[str | bytes], list[tuple[int | None, str, str]]]

HEAD = """\
builder:
  source: {publisher: Debian, offer: debian-12, sku: 12-gen2}
  vm_size: Standard_B2s
  location: westeurope
image:
  managed: {resource_group: images, name: nginx}
"""
"""The shortest good template; tests append to it, so that their first line is line 7."""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A folder with the files that templates in these tests name."""
    folder = tmp_path / "debian-nginx"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "index.html").write_text("<h1>Hello</h1>\n")
    (folder / "install.sh").write_text("#!/bin/sh\n")
    return folder


@pytest.fixture
def load(spec: Path) -> Load:
    """Writes a template and loads it, with an empty environment unless given."""

    def load_text(
        text: str | bytes,
        *,
        name: str = "template.yaml",
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
        run: Run | None = None,
    ) -> Template:
        file = spec / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_template(file, variables=variables, environment=environment, run=run)

    return load_text


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """Writes a template that is wrong; returns line, key path and message of each problem."""

    def mistakes_of(text: str | bytes) -> list[tuple[int | None, str, str]]:
        with pytest.raises(TemplateError) as caught:
            load(text)
        return [(problem.line, problem.key_path, problem.message) for problem in caught.value.problems]

    return mistakes_of
