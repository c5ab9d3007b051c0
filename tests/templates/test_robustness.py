"""Whatever a file holds, loading it gives a template or a TemplateError, never anything else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.templates.test_native import EXAMPLE
from verified_images.errors import TemplateError
from verified_images.templates.model import Template
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spec")


def load_or_refuse(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with contextlib.suppress(TemplateError):
        assert isinstance(load_template(file, environment={}), Template)


@SETTINGS
@given(st.binary(max_size=300))
def test_any_bytes(folder: Path, content: bytes) -> None:
    load_or_refuse(folder / "template.yaml", content)
    load_or_refuse(folder / "template.json", content)


@SETTINGS
@given(st.text(st.sampled_from("{}[]:,'\"|>&*!%@`#?-~<.\n\t \\=aTrue0x"), max_size=80))
def test_any_text_of_yamls_own_characters(folder: Path, content: str) -> None:
    load_or_refuse(folder / "template.yaml", content.encode())


@SETTINGS
@given(st.data())
def test_the_example_with_some_of_it_replaced(folder: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    end = data.draw(st.integers(start, min(len(EXAMPLE), start + 40)))
    inserted = data.draw(st.text(st.sampled_from("{}[]:,'\"&*!#%-\n\t {{}}var.x"), max_size=10))
    load_or_refuse(folder / "template.yaml", (EXAMPLE[:start] + inserted + EXAMPLE[end:]).encode())


JINJA = st.sampled_from([*"{}%#()[]|.~*-+='\" 019azvr\n", "{{", "}}", "{%", "%}", "var.", "for x in ", "if ", "endif"])


@SETTINGS
@given(st.lists(JINJA, max_size=20).map("".join))
def test_any_text_of_jinjas_own_characters(folder: Path, expression: str) -> None:
    document = {"variables": {"a": "b"}, "builder": {"location": "{{" + expression}, "image": expression}
    load_or_refuse(folder / "template.json", json.dumps(document).encode())


KEYS = st.sampled_from(
    [
        "builder",
        "source",
        "publisher",
        "gallery",
        "name",
        "uri",
        "plan",
        "vm_size",
        "location",
        "username",
        "custom_data",
        "ssh_timeout",
        "provisioners",
        "shell",
        "inline",
        "script",
        "env",
        "file",
        "content",
        "mode",
        "image",
        "managed",
        "tags",
        "regions",
        "end_of_life",
        "smoke",
        "instances",
        "port",
        "path",
        "timeout",
        "variables",
        "default",
        "x",
    ],
)
VALUES = st.sampled_from(
    [
        None,
        True,
        -1,
        1.5,
        10**400,
        "",
        "x",
        "20m",
        "0644",
        "auto",
        "1.2.3",
        "{{ var.x }}",
        "{{ run.id }}",
        "é",
        "9" * 400,
    ],
)
STRUCTURES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


@SETTINGS
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "variables": STRUCTURES,
            "builder": st.dictionaries(KEYS, STRUCTURES, max_size=6) | STRUCTURES,
            "provisioners": st.lists(
                st.dictionaries(st.sampled_from(["shell", "file", "x"]), STRUCTURES, max_size=2), max_size=3
            )
            | STRUCTURES,
            "image": st.dictionaries(KEYS, STRUCTURES, max_size=6) | STRUCTURES,
            "smoke": st.dictionaries(KEYS, VALUES, max_size=6) | STRUCTURES,
        },
    ),
)
def test_any_structure_of_known_keys(folder: Path, document: dict[str, Any]) -> None:
    load_or_refuse(folder / "template.json", json.dumps(document).encode())
