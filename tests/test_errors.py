"""Errors are one tree; their text is a sentence, their facts are attributes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from verified_images import errors
from verified_images.errors import (
    CapacityError,
    CleanupError,
    CloudError,
    CommandError,
    DeadlineError,
    GateClosedError,
    PreflightError,
    ProvisionerError,
    TemplateError,
    TemplateProblem,
    VerifiedImagesError,
)

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", ALL)
def test_each_can_be_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, VerifiedImagesError)


def test_the_tree_of_the_docstring_is_the_real_one() -> None:
    drawn = {}
    path: list[str] = []
    for indent, name in re.findall(r"^ {4}([│ ├└─]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE):
        path[len(indent) // 4 :] = [name]
        drawn[name] = path[-2] if len(path) > 1 else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in ALL}


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            TemplateProblem(Path("a/template.yaml"), 3, "builder.vm_size", "wrong"),
            "a/template.yaml:3: builder.vm_size: wrong",
        ),
        (TemplateProblem(Path("a/template.yaml"), None, "image", "missing"), "a/template.yaml: image: missing"),
        (TemplateProblem(Path("a/template.yaml"), 3, "", "a tab"), "a/template.yaml:3: a tab"),
        (TemplateProblem(Path("a/template.yaml"), None, "", "empty"), "a/template.yaml: empty"),
    ],
)
def test_a_problem_of_a_template_says_where_it_is(problem: TemplateProblem, text: str) -> None:
    assert str(problem) == text


def test_a_template_error_has_a_line_for_every_problem() -> None:
    problems = [TemplateProblem(Path("t"), line, "", f"problem {line}") for line in (1, 2)]
    error = TemplateError(problems)
    assert error.problems == tuple(problems)
    assert str(error) == "t:1: problem 1\nt:2: problem 2"


def test_a_preflight_error_tells_all_its_problems() -> None:
    error = PreflightError(["no quota", "no gallery"])
    assert str(error) == "no quota; no gallery"
    assert error.problems == ("no quota", "no gallery")


def test_a_cloud_error_keeps_the_facts_of_the_answer() -> None:
    error = CapacityError(
        "no room",
        operation="create virtual machine",
        resource="vi-vm",
        status=409,
        code="SkuNotAvailable",
        details=["zone 1", "zone 2"],
        correlation_id="abc",
    )
    assert isinstance(error, CloudError)
    assert str(error) == "no room"
    facts = (error.operation, error.resource, error.status, error.code, error.details, error.correlation_id)
    assert facts == ("create virtual machine", "vi-vm", 409, "SkuNotAvailable", ("zone 1", "zone 2"), "abc")


def test_a_deadline_error_tells_what_for_how_long_and_what_was_there() -> None:
    assert str(DeadlineError("SSH", 12.4, "refused")) == "SSH did not happen within 12 s; last seen: refused"
    assert str(DeadlineError("SSH", 12.4)) == "SSH did not happen within 12 s"


def test_a_command_error_keeps_the_end_of_the_output() -> None:
    error = CommandError("apt-get failed", machine="vi-vm", exit_code=100, tail="E: no such package")
    assert (str(error), error.machine, error.exit_code, error.tail) == (
        "apt-get failed",
        "vi-vm",
        100,
        "E: no such package",
    )


def test_a_provisioner_error_names_the_place_in_the_template() -> None:
    error = ProvisionerError("it failed", kind="shell", index=2, file=Path("t"), line=7, exit_code=1, tail="oops")
    facts = (error.kind, error.index, error.file, error.line, error.exit_code, error.tail)
    assert facts == ("shell", 2, Path("t"), 7, 1, "oops")


def test_a_closed_gate_names_what_closed_it() -> None:
    error = GateClosedError("publish", ["test_a failed", "test_b was not run"])
    assert str(error) == "publish not done: test_a failed; test_b was not run"
    assert (error.stage, error.reasons) == ("publish", ("test_a failed", "test_b was not run"))


def test_a_cleanup_error_names_what_is_left_or_what_went_wrong() -> None:
    cause = TimeoutError("no answer")
    error = CleanupError(["vi-vm", "vi-nic"], [cause])
    assert str(error) == "2 temporary resource(s) are still there: vi-vm, vi-nic; no answer"
    assert (error.left, error.errors) == (("vi-vm", "vi-nic"), (cause,))
    assert str(CleanupError([], [cause])) == "clean-up failed: no answer"
