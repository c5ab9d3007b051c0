"""Sizes, zones and locations of a template may be several."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.templates.conftest import HEAD
from verified_images.errors import TemplateError
from verified_images.templates.conversion import to_native

if TYPE_CHECKING:
    from pathlib import Path

    from tests.templates.conftest import Load

LADDERS = HEAD.replace("Standard_B2s", "[Standard_B2s, Standard_B2ms]").replace(
    "westeurope", "[West Europe, northeurope]\n  zone: [1, 2]", 1
)
SMOKE = "smoke: {vm_size: [Standard_B1s], zone: 3}\n"


def test_a_size_a_location_and_a_zone_may_be_several(load: Load) -> None:
    found = load(LADDERS + SMOKE)
    assert found.builder.vm_size == ("Standard_B2s", "Standard_B2ms")
    assert found.builder.location == ("westeurope", "northeurope")
    assert found.builder.zone == ("1", "2")
    assert (found.smoke.vm_size, found.smoke.zone) == (("Standard_B1s",), "3")


def test_a_converted_template_says_the_same(load: Load, tmp_path: Path) -> None:
    found = load(LADDERS + SMOKE)
    again = load(to_native(found, folder=tmp_path))
    assert (again.builder, again.smoke) == (found.builder, found.smoke)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("[]", "builder.vm_size: at least one entry is needed"),
        ("[A, A]", "builder.vm_size: 'A' is listed twice"),
        ("[A, b c]", "builder.vm_size[1]: 'b c' is not allowed: a VM size looks like Standard_B2s"),
        ("{a: b}", "builder.vm_size: text is needed, not a mapping"),
    ],
)
def test_a_ladder_that_is_none(load: Load, value: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(problem)):
        load(HEAD.replace("Standard_B2s", value))


def test_the_location_of_the_resource_group_stands_alone(load: Load) -> None:
    with pytest.raises(TemplateError, match="stands alone"):
        load(HEAD.replace("westeurope", "[resourcegroup, westeurope]\n  resource_group: g", 1))
