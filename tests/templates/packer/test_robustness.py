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
