"""One front door to templates of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.templates.conftest import HEAD
from tests.templates.packer.conftest import BUILD, SOURCE, template
from verified_images.errors import TemplateError
from verified_images.templates.finding import find_templates, holds_templates
from verified_images.templates.loading import load_templates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def found(folder: Path, files: Mapping[str, str]) -> list[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return [path.name if path != folder else "." for path in find_templates(folder)]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({}, []),
        ({"template.yaml": HEAD, "vars.json": "{}"}, ["template.yaml"]),
        ({"template.json": "{}"}, ["template.json"]),
        ({"template.json": template()}, ["template.json"]),
        (
            {"nginx.json": template(), "web.json": template(), "vars.json": '{"a": "builders"}'},
            ["nginx.json", "web.json"],
        ),
        ({"nginx.json": '{"builders": [{"type": "azure-arm"}'}, ["nginx.json"]),
        ({"nginx.json": '{"builders": [{"type": "null"}]}', "main.pkr.hcl": 'source "null" "x" {}'}, []),
        ({"main.pkr.hcl": SOURCE, "x.pkrvars.hcl": "", "y.auto.pkrvars.json": "{}"}, ["."]),
        ({"main.pkr.json": '{"source": {"azure-arm": {}}}'}, ["."]),
        ({"packer.json": template(), "a.pkr.hcl": SOURCE}, ["packer.json", "."]),
        ({"a.pkr.hcl": SOURCE, "b.pkr.hcl": BUILD}, ["."]),
        ({"a.pkr.hcl": SOURCE + BUILD, "b.pkr.hcl": SOURCE + BUILD}, ["a.pkr.hcl", "b.pkr.hcl"]),
        (
            {
                "a.pkr.hcl": "locals {\n  now = 1\n}\n" + SOURCE + BUILD,
                "b.pkr.hcl": "locals { now = 2 }\n" + SOURCE.replace('"debian"', '"b"', 1) + BUILD,
                "c.pkr.hcl": 'variable "c" {}\n',
            },
            ["a.pkr.hcl", "b.pkr.hcl"],
        ),
        ({"template.yaml": "Resources: {}\n"}, []),
        ({"package.json": "[]", "test.json": '["builders"]', "readme.txt": ""}, []),
    ],
)
def test_templates_are_found(tmp_path: Path, files: dict[str, str], names: list[str]) -> None:
    assert found(tmp_path, files) == names


@pytest.mark.parametrize("other", ["packer.json", "a.pkr.hcl"])
def test_a_native_template_does_not_go_with_one_of_packer(tmp_path: Path, other: str) -> None:
    (tmp_path / "template.yaml").write_text(HEAD)
    (tmp_path / other).write_text(SOURCE if other.endswith(".hcl") else template())
    with pytest.raises(TemplateError, match=r"template\.yaml: the folder has a template of Packer too"):
        find_templates(tmp_path)
    assert holds_templates(tmp_path)


def test_there_are_no_templates_where_there_is_no_folder(tmp_path: Path) -> None:
    assert find_templates(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    ("name", "text", "spec"),
    [
        ("template.yaml", HEAD, "web"),
        ("template.json", template(), "web"),
        ("packer.json", template(), "web"),
        ("nginx.json", template(), "nginx"),
        ("nginx.pkr.hcl", SOURCE + BUILD, "nginx"),
        ("main.pkr.hcl", SOURCE + BUILD, "web"),
    ],
)
def test_a_template_is_named_by_its_folder_or_file(tmp_path: Path, name: str, text: str, spec: str) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / name).write_text(text)
    (loaded,) = load_templates(folder / name, environment={})
    assert loaded.template.name == spec
    assert loaded.template.file == folder / name


def test_files_of_variables_are_read_for_native_templates_too(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        HEAD + "  tags: {a: '{{ var.a }}', b: '{{ var.b }}'}\nvariables: {a: 1, b: 2}\n"
    )
    (tmp_path / "vars.yaml").write_text("a: x\nb: y\n")
    (loaded,) = load_templates(
        tmp_path / "template.yaml", variables={"b": "z"}, variable_files=[tmp_path / "vars.yaml"], environment={}
    )
    assert loaded.template.image.tags == {"a": "x", "b": "z"}


@pytest.mark.parametrize("name", ["nothing.json", "nothing.yaml", "nothing.pkr.hcl", "."])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(TemplateError):
        load_templates(tmp_path / name, environment={})
