"""A matrix over variables gives several images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.templates.conftest import HEAD
from verified_images.errors import TemplateError
from verified_images.templates.loading import load_templates
from verified_images.templates.native import load_native, load_template

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.model import Template

TAGS = HEAD + "  tags: {a: '{{ var.a }}', b: '{{ var.b | default(\"-\") }}'}\n"


def load(folder: Path, matrix: str, **variables: str) -> tuple[Template, ...]:
    file = folder / "web" / "template.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{TAGS}{matrix}\n")
    return load_native(file, variables=variables, environment={})


def test_every_combination_is_an_image(tmp_path: Path) -> None:
    found = load(tmp_path, "matrix: {a: [x, 1.10], b: [p, q]}")
    assert [(each.name, each.image.tags["a"], each.image.tags["b"]) for each in found] == [
        ("web-x-p", "x", "p"),
        ("web-x-q", "x", "q"),
        ("web-1-10-p", "1.10", "p"),
        ("web-1-10-q", "1.10", "q"),
    ]
    assert [variable.name for variable in found[0].variables] == ["a", "b"]
    assert len(load_templates(found[0].file, environment={})) == 4


def test_rows_are_images_by_themselves(tmp_path: Path) -> None:
    found = load(tmp_path, "matrix: [{a: x, c: p}, {a: y, c: q}]\nvariables: {c: {default: z, secret: true}}")
    assert [each.name for each in found] == ["web-x-p", "web-y-q"]
    assert [secret.get_secret_value() for secret in found[1].secrets] == ["q"]


def test_a_value_from_outside_chooses_rows(tmp_path: Path) -> None:
    assert [each.name for each in load(tmp_path, "matrix: {a: [x, y], b: [p, q]}", a="y")] == ["web-y-p", "web-y-q"]
    with pytest.raises(TemplateError, match=r"yaml:8: matrix: no row has a=xx, which is asked for; did you mean 'x'\?"):
        load(tmp_path, "matrix: {a: [x, y]}", a="xx")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("x", "a mapping of names to lists of values is needed"),
        ("{a: []}", "a mapping of names to lists of values is needed"),
        ("[]", "a mapping of names to lists of values is needed"),
        ("[{a: x}, {b: y}]", "every row must give the same variables"),
        ("{a: [x, X]}", "two rows would give images of the same name"),
        ("{a: [" + ",".join(map(str, range(300))) + "]}", "300 images are too many"),
    ],
)
def test_a_matrix_that_is_none_is_told(tmp_path: Path, matrix: str, message: str) -> None:
    with pytest.raises(TemplateError, match=r"template\.yaml:8: matrix: ") as caught:
        load(tmp_path, f"matrix: {matrix}")
    assert message in str(caught.value)


def test_mistakes_are_told_once(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        load(tmp_path, "matrix: {a: [x, y]}\nsmok: {}")
    assert len(caught.value.problems) == 1


def test_a_reader_of_one_image_refuses_several(tmp_path: Path) -> None:
    (first, *_) = load(tmp_path, "matrix: {a: [x, y]}")
    with pytest.raises(TemplateError, match="several images: web-x, web-y"):
        load_template(first.file)
