"""The ``variables`` of a template: what is declared, and the value that each one has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.documents import fail, read_document
from verified_images.templates.fields import FrozenDict, Text, reveal
from verified_images.templates.model import Variable

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.problems import Problems


class Declaration(TemplateModel):
    """A variable: its default, the environment variable that may give it, and whether it is a secret."""

    default: Text | None = None
    """The value unless another is given."""
    env: str | None = None
    """The environment variable that gives the value if it is set."""
    secret: bool = False
    """Whether the value is masked wherever text is shown."""
    description: str | None = None
    """What the variable is for."""


def _from_short_form(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the template
    return value if isinstance(value, Mapping | Declaration) else {"default": value}


def _named(declarations: Mapping[str, Declaration]) -> Mapping[str, Declaration]:
    for name in declarations:
        # Jinja2 would read a-b as a subtraction.
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
            raise wrong(f"'{name}' is not a variable's name: a letter, then letters, digits and '_'")
    return declarations


Declarations = Annotated[
    Mapping[str, Annotated[Declaration, BeforeValidator(_from_short_form)]],
    AfterValidator(_named),
]
"""``name: default``, ``name: null`` for a required one, or ``name: {default, env, secret, description}``."""


class _Section(TemplateModel):
    variables: Declarations = Field(default_factory=FrozenDict)


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of a template and their values; None is the unknown value of one that is wrong."""

    declared: tuple[Variable, ...]
    values: Mapping[str, SecretStr | str | None]


def resolve_variables(
    section: object,
    problems: Problems,
    given: Mapping[str, str],
    environment: Mapping[str, str],
) -> Variables:
    """Return the variables of a template's ``variables`` section, with a problem for each that has no value.

    A ``given`` value comes before the environment variable, that before the default.
    """
    try:
        declarations = _Section.model_validate({"variables": {} if section is None else section}).variables
    except ValidationError as error:
        problems.add_validation(error, {"variables": section})
        names = section if isinstance(section, Mapping) else ()
        return Variables((), dict.fromkeys(names))
    values: dict[str, SecretStr | str | None] = {}
    for name, declaration in declarations.items():
        value = _value(name, declaration, given, environment)
        if value is None:
            problems.add(("variables", name), _advice(name, declaration))
        elif declaration.secret:
            value = SecretStr(reveal(value))
        values[name] = value
    return Variables(tuple(_variable(*item) for item in declarations.items()), values)


def load_variables(file: Path) -> dict[str, str]:
    """Return the variables of a file: a YAML or JSON mapping of names to texts.

    Raises:
        TemplateError: it cannot be read, its syntax is wrong, or a value is not a text.
    """
    document = read_document(file)
    if not isinstance(document.data, dict):
        fail(file, "a mapping of variables to values is needed")
    for name, value in document.data.items():
        if not isinstance(value, str):
            document.problems.add((name,), "the value of a variable must be text")
    document.problems.raise_if_any()
    return document.data


def _value(
    name: str,
    declaration: Declaration,
    given: Mapping[str, str],
    environment: Mapping[str, str],
) -> SecretStr | str | None:
    if name in given:
        return given[name]
    if declaration.env is not None and declaration.env in environment:
        return environment[declaration.env]
    return declaration.default


def _variable(name: str, declaration: Declaration) -> Variable:
    return Variable(
        name=name,
        secret=declaration.secret,
        required=declaration.default is None and declaration.env is None,
        description=declaration.description,
    )


def _advice(name: str, declaration: Declaration) -> str:
    if declaration.env is None:
        return f"the variable '{name}' has no value; give it one (--vi-var {name}=...) or a default"
    return (
        f"the variable '{name}' has no value; set the environment variable {declaration.env}, "
        f"give it one (--vi-var {name}=...) or a default"
    )
