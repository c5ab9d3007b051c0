"""Whatever a Packer template holds, loading it gives templates or a TemplateError, never anything else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.templates.packer.conftest import BUILD, BUILDER, SOURCE, template
from verified_images.errors import TemplateError
from verified_images.templates.conversion import to_native
from verified_images.templates.loading import load_templates
from verified_images.templates.packer.azure_arm_options import BLOCKS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTINGS = settings(max_examples=100, deadline=None)
HCL = (
    """\
variable "x" {
  type = list(string)
  default = ["a"]
  validation {
    condition = length(var.x) > 0
    error_message = "None."
  }
}
locals { y = { for i, v in var.x : v => "%{ if i > 0 }${i}%{ endif }" } }
"""
    + SOURCE
    + BUILD.replace(
        "]\n",
        """]
  provisioner "shell" {
    inline = [<<-EOT
      echo ${join(",", keys(local.y))}
    EOT
    , "b"]
    only = ["azure-arm.debian"]
  }
""",
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spec")


def load_or_refuse(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with contextlib.suppress(TemplateError):
        for loaded in load_templates(file, environment={}):
            to_native(loaded.template)


def test_the_example_is_a_good_one(folder: Path) -> None:
    (folder / "good.pkr.hcl").write_text(HCL)
    assert load_templates(folder / "good.pkr.hcl", environment={})


@SETTINGS
@given(st.binary(max_size=300))
def test_any_bytes(folder: Path, content: bytes) -> None:
    load_or_refuse(folder / "a.pkr.hcl", content)
    load_or_refuse(folder / "a.pkr.json", content)
    load_or_refuse(folder / "a.json", b'{"builders": [' + content)


HCL_TOKENS = st.sampled_from(
    [
        *'{}[]()"=.,:?+-*/%!<>&|~$#\\ \n019ax',
        "${",
        "%{",
        "$${",
        "<<E\n",
        "\nE\n",
        "for ",
        "in ",
        "if ",
        "endif",
        "var.",
        "local.",
        "build {",
        'source "azure-arm" "x" {',
        'provisioner "shell" {',
        "dynamic ",
        "...",
        "=>",
        "[*]",
        "null",
    ],
)


@SETTINGS
@given(st.lists(HCL_TOKENS, max_size=40).map("".join))
def test_any_text_of_hcls_own_words(folder: Path, content: str) -> None:
    load_or_refuse(folder / "a.pkr.hcl", content.encode())


@SETTINGS
@given(st.data())
def test_the_example_with_some_of_it_replaced(folder: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(HCL)))
    end = data.draw(st.integers(start, min(len(HCL), start + 40)))
    inserted = data.draw(st.lists(HCL_TOKENS, max_size=5).map("".join))
    load_or_refuse(folder / "a.pkr.hcl", (HCL[:start] + inserted + HCL[end:]).encode())


GO_TOKENS = st.sampled_from(
    [
        *"{}|()`\"'.$,=- 01ax\n\\",
        "{{",
        "}}",
        "{{-",
        "if ",
        "else",
        "end",
        "user `x`",
        "split ",
        "replace_all ",
        "printf ",
        "isotime ",
        "env ",
        ":=",
        "range ",
        "/*",
        "*/",
    ]
)


@SETTINGS
@given(st.lists(GO_TOKENS, max_size=30).map("".join), st.lists(GO_TOKENS, max_size=10).map("".join))
def test_any_text_of_gos_own_words(folder: Path, text: str, value: str) -> None:
    step = {"type": "shell", "inline": ["{{" + text], "execute_command": text + "{{.Path}}"}
    content = template(step, variables={"x": value}, managed_image_name="{{" + text)
    load_or_refuse(folder / "a.json", content.encode())


VALUES = st.sampled_from(
    [None, True, -1, 1.5, 10**400, "", "x", "20m", "{{user `x`}}", "{{.Vars}}", "é", "9" * 400, "YQ==", "westeurope"]
)
KEYS = st.sampled_from(
    [
        *OPTIONS,
        *(name for block in BLOCKS.values() for name in block),
        "type",
        "name",
        "inline",
        "script",
        "source",
        "content",
        "destination",
        "environment_vars",
        "env",
        "execute_command",
        "only",
        "except",
        "override",
        "timeout",
        "azure-arm",
        "shell",
        "x",
        "default",
        "validation",
    ],
)
STRUCTURES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
STEPS = st.dictionaries(KEYS, STRUCTURES, max_size=5).flatmap(
    lambda step: st.sampled_from(["shell", "file", "powershell", "manifest", "shell-local", "x"]).map(
        lambda kind: {**step, "type": kind}
    )
)


@SETTINGS
@given(
    st.fixed_dictionaries(
        {
            "builders": st.lists(
                st.dictionaries(KEYS, STRUCTURES, max_size=5).map(lambda more: {**BUILDER, **more}), max_size=2
            )
        },
        optional={
            "variables": st.dictionaries(KEYS, VALUES, max_size=3) | STRUCTURES,
            "sensitive-variables": st.lists(KEYS, max_size=3) | STRUCTURES,
            "provisioners": st.lists(STEPS, max_size=3) | STRUCTURES,
            "error-cleanup-provisioner": STEPS | STRUCTURES,
            "post-processors": st.lists(STEPS | st.lists(STEPS, max_size=2), max_size=3) | STRUCTURES,
            "min_packer_version": STRUCTURES,
        },
    ),
)
def test_any_structure_of_known_keys(folder: Path, document: dict[str, Any]) -> None:
    load_or_refuse(folder / "a.json", json.dumps(document).encode())


@SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(["variable", "variables", "locals", "local", "source", "build", "packer", "data"]),
        STRUCTURES
        | st.dictionaries(
            st.sampled_from(["azure-arm", "x", "sources", "provisioner", "source"]), STRUCTURES, max_size=3
        ),
        max_size=5,
    )
)
def test_any_structure_of_known_blocks(folder: Path, document: dict[str, Any]) -> None:
    load_or_refuse(folder / "a.pkr.json", json.dumps(document).encode())


def of(size: int) -> st.SearchStrategy[bytes]:
    """Return texts that consist of one short piece, over and over, and texts of brackets around brackets."""
    pieces = st.sampled_from(
        [b"a: b\n", b"a = 1\n", b"x {\n", b"- ", b"[", b"{", b"(", b'"', b'{"a":', b"<<E\n", b"${", b"\0"]
    )
    repeated = st.tuples(pieces, st.integers(0, size)).map(lambda drawn: drawn[0] * drawn[1])
    brackets = st.tuples(st.sampled_from([b"[]", b"{}", b"()"]), st.integers(0, 10_000)).map(
        lambda drawn: b"a = " + drawn[0][:1] * drawn[1] + drawn[0][1:] * drawn[1]
    )
    return repeated | brackets


ENCODED: st.SearchStrategy[bytes] = st.sampled_from([HCL, template(), "a: \u00e9\n", ""]).flatmap(
    lambda text: st.sampled_from(
        [
            text.encode("utf-16"),
            text.encode("utf-16-be"),
            text.encode("utf-32"),
            text.encode("utf-8-sig"),
            text.encode("latin-1", "replace"),
            text.replace("\n", "\r\n").encode(),
            text.replace("\n", "\r").encode(),
            text.encode() + b"\0",
        ]
    )
)
ROLES: dict[str, Callable[[str], tuple[str, str]]] = {
    "extends": lambda name: ("template.yaml", f"extends: {name}\n"),
    "include": lambda name: ("template.yaml", f"provisioners: [{{include: {name}}}]\n"),
    "data": lambda name: ("template.yaml", f"data: {{x: {name}}}\n"),
    "file": lambda name: ("main.pkr.hcl", HCL + f'locals {{\n  z = file("{name}")\n}}\n'),
    "yamldecode": lambda name: ("main.pkr.hcl", HCL + f'locals {{\n  z = yamldecode(file("{name}"))\n}}\n'),
    "templatefile": lambda name: ("main.pkr.hcl", HCL + f'locals {{\n  z = templatefile("{name}", {{}})\n}}\n'),
    "custom_data_file": lambda name: ("packer.json", template(custom_data_file=name)),
}


@settings(max_examples=30, deadline=None)
@given(content=of(20_000) | ENCODED)
def test_any_size_depth_and_encoding_of_a_template_and_of_variables(folder: Path, content: bytes) -> None:
    for name in ("template.yaml", "packer.json", "main.pkr.hcl", "main.pkr.json"):
        load_or_refuse(folder / name, content)
    for name in ("values.json", "values.yaml", "values.pkrvars.hcl", "values.pkrvars.json"):
        (folder / name).write_bytes(content)
        (folder / "main.pkr.hcl").write_text(HCL)
        with contextlib.suppress(TemplateError):
            load_templates(folder / "main.pkr.hcl", environment={}, variable_files=[folder / name])


@settings(max_examples=30, deadline=None)
@given(role=st.sampled_from(sorted(ROLES)), content=of(20_000) | ENCODED)
def test_any_size_depth_and_encoding_of_what_a_template_names(folder: Path, role: str, content: bytes) -> None:
    (folder / "part.yaml").write_bytes(content)
    name, text = ROLES[role]("part.yaml")
    load_or_refuse(folder / name, text.encode())


@pytest.mark.parametrize("name", ["template.yaml", "packer.json", "main.pkr.hcl", "main.pkr.json"])
def test_a_template_of_fifty_megabytes_is_refused_unread(folder: Path, name: str) -> None:
    with (folder / name).open("wb") as stream:
        stream.write(b'{"builders": [')
        stream.truncate(50 * 1024 * 1024)
    with pytest.raises(TemplateError, match="larger than"):
        load_templates(folder / name, environment={})
    (folder / name).unlink()
