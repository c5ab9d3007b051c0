"""A folder to write Packer templates into, and what is wrong with a template as (line, key path, message)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from verified_images.errors import TemplateError
from verified_images.naming import new_run
from verified_images.templates.loading import Loaded, load_templates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Load = Callable[..., tuple[Loaded, ...]]
Mistakes = Callable[..., list[tuple[int | None, str, str]]]

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
BUILDER: dict[str, Any] = {
    "type": "azure-arm",
    "image_publisher": "Debian",
    "image_offer": "debian-12",
    "image_sku": "12-gen2",
    "location": "West Europe",
    "vm_size": "Standard_B2s",
    "os_type": "Linux",
    "managed_image_name": "nginx",
    "managed_image_resource_group_name": "images",
}
"""The options of the shortest good build."""
SOURCE = """\
source "azure-arm" "debian" {
  image_publisher = "Debian"
  image_offer     = "debian-12"
  image_sku       = "12-gen2"
  location        = "westeurope"
  vm_size         = "Standard_B2s"
  managed_image_name = "nginx"
  managed_image_resource_group_name = "images"
}
"""
BUILD = 'build {\n  sources = ["source.azure-arm.debian"]\n}\n'
"""The shortest good template of HCL is SOURCE + BUILD."""


def template(*provisioners: dict[str, Any], variables: Mapping[str, Any] | None = None, **options: object) -> str:
    """Return a JSON template of one build with these options and provisioners."""
    builder = {name: value for name, value in {**BUILDER, **options}.items() if value is not None}
    document = {"variables": dict(variables or {}), "builders": [builder], "provisioners": list(provisioners)}
    return json.dumps(document, indent=1)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A folder with the files that templates in these tests name."""
    folder = tmp_path / "debian-nginx"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "install.sh").write_text("#!/bin/sh\n")
    (folder / "page.html").write_text("<h1>Hello</h1>\n")
    return folder


@pytest.fixture
def load(spec: Path) -> Load:
    """Writes the files of a template and loads it, with an empty environment unless given."""

    def load_files(
        text: str | Mapping[str, str],
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
        **arguments: Any,  # noqa: ANN401 - those of load_templates
    ) -> tuple[Loaded, ...]:
        json_text = isinstance(text, str) and text.lstrip().startswith("{")
        files = {("template.json" if json_text else "main.pkr.hcl"): text} if isinstance(text, str) else text
        for name, content in files.items():
            (spec / name).write_text(content)
        path = spec / "template.json" if json_text else spec
        run = new_run("debian-nginx", owner="me", now=NOW)
        return load_templates(path, environment=environment, run=run, **arguments)

    return load_files


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """Writes a template that is wrong; returns line, key path and message of each problem."""

    def mistakes_of(text: str | Mapping[str, str], **arguments: Any) -> list[tuple[int | None, str, str]]:  # noqa: ANN401
        with pytest.raises(TemplateError) as caught:
            load(text, **arguments)
        return [(problem.line, problem.key_path, problem.message) for problem in caught.value.problems]

    return mistakes_of


def warnings_of(loaded: tuple[Loaded, ...]) -> list[tuple[str, str]]:
    """Return the key path and message of each warning."""
    return [(warning.key_path, warning.message) for warning in loaded[0].warnings]
