"""Editors get a JSON Schema that takes what the loader takes and refuses what users mistype."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from tests.templates.conftest import HEAD
from tests.templates.test_native import EXAMPLE
from verified_images.templates.provisioners import provisioner_kinds
from verified_images.templates.schema import json_schema

Mistakes = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def mistakes() -> Mistakes:
    """Returns what an editor would underline."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: [error.message for error in validator.iter_errors(parse(text))]


def parse(text: str) -> object:
    document: object = YAML(typ="safe").load(StringIO(text))
    return document


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        HEAD,
        HEAD + "smoke: {port: '{{ var.port }}', timeout: 20m, orchestration: '{{ var.mode }}'}\n",
        HEAD + "smoke: {timeout: 90}\n",
        HEAD + "provisioners: [{include: common.yaml}, {shell: {inline: x}}]\ndata: {a: b.yaml}\n",
        "extends: ../base.yaml\nbuilder: {vm_size: Standard_B1s}\nimage: {tags: {team: '{{ var.x }}'}}\n",
        "extends: base.yaml\nmatrix: {release: ['12', 13]}\n",
        "extends: [a.yaml, b.yaml]\nmatrix: [{release: '12'}]\n",
        HEAD + "variables: {a: b, c: 1, d: null, e: {env: E, secret: true}}\n",
        HEAD + "provisioners: [{shell: {inline: one, env: {A: 1}, sudo: '{{ var.sudo }}'}}]\n",
        HEAD + "provisioners: [{file: {content: a, destination: /b, mode: 0644}}]\n",
        HEAD.replace("Standard_B2s", "[Standard_B2s, Standard_B2ms]\n  zone: [1, '2']") + "smoke: {zone: 3}\n",
        HEAD.replace("{publisher: Debian, offer: debian-12, sku: 12-gen2}", "{publisher: a, offer: b, sku: 12}"),
    ],
)
def test_good_templates_fit(mistakes: Mistakes, text: str) -> None:
    assert mistakes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "smok: {}\n",
        HEAD + "matrix: {release: []}\n",
        HEAD + "provisioners: [{include: {a: b}}]\n",
        "builder: {}\n",
        HEAD + "smoke: {instances: many}\n",
        HEAD + "smoke: {orchestration: unifrom}\n",
        HEAD + "provisioners: [{shel: {inline: x}}]\n",
        HEAD + "provisioners: [{shell: {inlin: x}}]\n",
        HEAD + "provisioners: [{shell: {inline: []}}]\n",
        HEAD + "variables: {a: {defualt: b}}\n",
        HEAD.replace("vm_size", "vmsize"),
        "extends: ../base.yaml\nbuilder: {vmsize: Standard_B1s}\n",
        HEAD.replace("Standard_B2s", "Standard B2s"),
        HEAD.replace("name: nginx", "name: -b"),
        HEAD.partition("image:")[0] + "image: {tags: {a: b}}\n",
        HEAD + "provisioners: [{shell: {inline: x, script: y}}]\n",
        HEAD + "provisioners: [{shell: {sudo: true}}]\n",
        HEAD + "post_processors: [{}]\n",
        HEAD.replace("Standard_B2s", "{a: b}"),
    ],
)
def test_wrong_templates_do_not(mistakes: Mistakes, text: str) -> None:
    assert mistakes(text) != []


def test_every_field_is_described() -> None:
    schema = json_schema()
    bare = [
        f"{name}.{key}"
        for name, model in [("", schema), *schema["$defs"].items()]
        for key, field in model["properties"].items()
        if "description" not in field and key not in provisioner_kinds()
    ]
    assert bare == []
