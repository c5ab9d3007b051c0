"""Parameters: the values that a deployment gives, checked against what its template declares.

Source: Azure Resource Manager, "Parameters in ARM templates".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError, describe_type
from verified_images.emulator.resource_manager.deployments.language.evaluation import evaluate_value
from verified_images.emulator.resource_manager.deployments.language.scope import Scope, Values
from verified_images.emulator.resource_manager.deployments.refusals import (
    invalid_content,
    invalid_template,
    not_emulated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verified_images.emulator.resource_manager.deployments.language.scope import EnvironmentFunction
    from verified_images.emulator.resource_manager.deployments.templates import Template
    from verified_images.emulator.wire import Request

_USAGE = "Please see https://aka.ms/arm-syntax-parameters for usage details."
_TYPES = {
    "string": ("String", "String, Uri"),
    "securestring": ("SecureString", "String, Uri"),
    "int": ("Int", "Integer"),
    "bool": ("Bool", "Boolean"),
    "object": ("Object", "Object"),
    "secureobject": ("SecureObject", "Object"),
    "array": ("Array", "Array"),
}


def spell_type(kind: object) -> str:
    """Give the name of a parameter's or output's type as answers spell it."""
    return _TYPES.get(str(kind).lower(), (str(kind), ""))[0]


def is_secret(kind: object) -> bool:
    """Tell whether values of a type are never shown."""
    return str(kind).lower().startswith("secure")


def bind_parameters(
    request: Request, template: Template, given: Mapping[str, Any], environment: Mapping[str, EnvironmentFunction]
) -> dict[str, Any]:
    """Give the value of every parameter of a template.

    Raises:
        ArmError: 400 InvalidTemplate: one is missing, is not declared, or has a value that its declaration refuses.
    """
    declared = {name.lower(): name for name in template.parameters}
    unknown = [name for name in given if name.lower() not in declared]
    if unknown:
        raise _not_declared(request, unknown, list(template.parameters))
    values: dict[str, Any] = {}
    definitions = template.content.get("definitions") or {}
    defaults = _Defaults(template, {declared[name.lower()]: value for name, value in given.items()}, environment)
    for name, declaration in template.parameters.items():
        try:
            values[name] = defaults.value_of(name)
            _check(name, _resolve(declaration, definitions), values[name])
        except TemplateError as error:
            place = f"properties.template.parameters.{name}"
            raise invalid_template(request, str(error), name=name, path=place) from error
    return values


def _not_declared(request: Request, unknown: list[str], declared: list[str]) -> Exception:
    return invalid_template(
        request,
        f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; they are not present in "
        "the original template and can therefore not be provided at deployment time. The only supported parameters for "
        f"this template are '{', '.join(declared)}'. Please see https://aka.ms/arm-deploy/#parameter-file for usage "
        "details.",
    )


def _resolve(declaration: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Put a definition in the place of the reference to it."""
    reference = declaration.get("$ref")
    if not isinstance(reference, str):
        return declaration
    found = definitions.get(reference.rpartition("/")[2])
    if not isinstance(found, dict):
        raise TemplateError(f"The definition '{reference}' is not found in the template.")
    return {**found, **{key: value for key, value in declaration.items() if key != "$ref"}}


class _Defaults:
    """Gives values; those that are defaults are evaluated, and may name other parameters."""

    def __init__(
        self, template: Template, given: dict[str, Any], environment: Mapping[str, EnvironmentFunction]
    ) -> None:
        self._template = template
        self._given = given
        self._environment = environment
        self._found: dict[str, Any] = {}
        self._begun: set[str] = set()

    def value_of(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        if name not in self._found:
            if name in self._begun:
                raise TemplateError(f"The default value of the template parameter '{name}' depends on itself. {_USAGE}")
            self._begun.add(name)
            self._found[name] = self._find(name, self._given.get(name), self._template.parameters[name])
        return self._found[name]

    def _find(self, name: str, raw: Any, declaration: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        if raw is not None and not isinstance(raw, dict):
            raise invalid_content(
                f"Error converting value {json.dumps(raw)} to type "
                f"'Azure.Deployments.Core.Definitions.DeploymentParameterDefinition'. Path "
                f"'properties.parameters.{name}'."
            )
        if raw is not None and raw.get("reference") is not None:
            raise not_emulated(f"the parameter '{name}' that refers to a key vault", "give its value")
        if raw is not None and raw.get("value") is not None:
            return raw["value"]
        if "defaultValue" not in declaration:
            return None
        others = {other: self._later(other) for other in self._template.parameters}
        scope = Scope(Values(others, None, self._template.members), self._environment)
        return evaluate_value(declaration["defaultValue"], scope)

    def _later(self, name: str) -> Callable[[], Any]:
        return lambda: self.value_of(name)


def _check(name: str, declaration: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - any JSON value
    if value is None and declaration.get("nullable"):
        return
    if value is None and "defaultValue" not in declaration:
        raise TemplateError(
            f"The value for the template parameter '{name}' is not provided. Please see "
            "https://aka.ms/arm-create-parameter-file for usage details."
        )
    _check_type(name, declaration, value)
    _check_limits(name, declaration, value)


def _check_type(name: str, declaration: dict[str, Any], value: object) -> None:
    kind = str(declaration.get("type", "")).lower()
    if kind not in _TYPES:
        raise TemplateError(
            f"The template parameter '{name}' has an invalid type '{declaration.get('type')}'. Supported types are "
            f"'{','.join(spelt for spelt, _ in _TYPES.values())}'. {_USAGE}"
        )
    actual = describe_type(value)
    if actual not in _TYPES[kind][1]:
        raise TemplateError(
            f"Template parameter JToken type is not valid. Expected '{_TYPES[kind][1]}'. Actual '{actual}'. Please see "
            "https://aka.ms/arm-deploy/#parameter-file for usage details."
        )


def _check_limits(name: str, declaration: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - any JSON value
    start = f"The provided value for the template parameter '{name}' is not valid."
    allowed = declaration.get("allowedValues")
    if isinstance(allowed, list) and not _is_allowed(value, allowed):
        shown = value if not is_secret(declaration.get("type")) else "***"
        raise TemplateError(
            f"{start} The value '{shown}' is not part of the allowed value(s): "
            f"'{','.join(str(item) for item in allowed)}'."
        )
    if isinstance(value, (str, list)):
        measured, what, limits = len(value), "Length of the value", ("minLength", "maxLength")
    elif isinstance(value, int) and not isinstance(value, bool):
        measured, what, limits = value, "The value", ("minValue", "maxValue")
    else:
        return
    least, most = (declaration.get(limit) for limit in limits)
    if least is not None and measured < least:
        raise TemplateError(f"{start} {what} should be greater than or equal to '{least}'. {_USAGE}")
    if most is not None and measured > most:
        raise TemplateError(f"{start} {what} should be less than or equal to '{most}'. {_USAGE}")


def _is_allowed(value: Any, allowed: list[Any]) -> bool:  # noqa: ANN401 - any JSON value
    return value in allowed or (isinstance(value, list) and all(item in allowed for item in value))
