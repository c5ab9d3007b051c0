from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.local_azure import BUILDER, GALLERY
from verified_images.stages.unsupported import unsupported_problems
from verified_images.templates.model import Template


def template(**changes: Any) -> Template:  # noqa: ANN401 - parts of a template
    parts: dict[str, Any] = {"builder": BUILDER, "image": {"gallery": GALLERY}, **changes}
    return Template.model_validate({"name": "web", "file": Path("template.yaml"), **parts})


def test_a_template_of_what_is_supported_has_no_problem() -> None:
    assert list(unsupported_problems(template())) == []


def test_an_option_that_no_stage_honours_is_named() -> None:
    found = unsupported_problems(template(builder={**BUILDER, "communicator": "winrm"}))
    assert [problem.partition(":")[0] for problem in found] == ["builder.communicator"]
