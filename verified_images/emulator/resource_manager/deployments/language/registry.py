"""How the functions that need nothing but their arguments are declared and called."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

import inspect
import types
import typing
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError, describe_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_NAMES: dict[object, str] = {
    str: "String",
    int: "Integer",
    bool: "Boolean",
    float: "Float",
    list: "Array",
    dict: "Object",
    types.NoneType: "Null",
}


class Function:
    """One function of the language: arity and types are those of the Python function's signature."""

    def __init__(self, name: str, implementation: Callable[..., Any]) -> None:
        self.name = name
        self._implementation = implementation
        self._signature = inspect.signature(implementation, eval_str=True)

    def __call__(self, arguments: Iterable[Any]) -> Any:
        """Call it.

        Raises:
            TemplateError: the number of arguments or a type is wrong, or the function refuses.
        """
        given = tuple(arguments)
        try:
            bound = self._signature.bind(*given)
        except TypeError as error:
            raise TemplateError(
                f"Unable to evaluate template language function '{self.name}': function requires "
                f"{self._arity()} argument(s) while {len(given)} were provided. {self._usage()}"
            ) from error
        for key, value in bound.arguments.items():
            parameter = self._signature.parameters[key]
            for item in value if parameter.kind is parameter.VAR_POSITIONAL else (value,):
                self._check(item, parameter.annotation)
        return self._implementation(*bound.args)

    def _usage(self) -> str:
        return f"Please see https://aka.ms/arm-function-{self.name.lower()} for usage details."

    def _arity(self) -> str:
        parameters = self._signature.parameters.values()
        least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters)
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return f"at least {least}"
        return str(least) if least == len(parameters) else f"{least} to {len(parameters)}"

    def _check(self, value: object, annotation: object) -> None:
        accepted = _accepted(annotation)
        if accepted and not any(_is(value, kind) for kind in accepted):
            names = ", ".join(_NAMES[kind] for kind in accepted)
            raise TemplateError(
                f"The template language function '{self.name}' expects its parameter to be of type '{names}'. The "
                f"provided value is of type '{describe_type(value)}'. {self._usage()}"
            )


def _accepted(annotation: object) -> list[object]:
    """Give the JSON types of an annotation; none stands for any."""
    if annotation is Any:
        return []
    if isinstance(annotation, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _accepted(part)]
    return [typing.get_origin(annotation) or annotation]


def _is(value: object, kind: object) -> bool:
    if kind in {int, float}:
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    return isinstance(kind, type) and isinstance(value, kind)


def declare(functions: Mapping[str, Callable[..., Any]]) -> dict[str, Function]:
    """Make the functions of a module, by lower-case name."""
    return {name.lower(): Function(name, implementation) for name, implementation in functions.items()}


def refuse(name: str, reason: str) -> TemplateError:
    """Make the error of a function that cannot work on its arguments."""
    return TemplateError(
        f"Unable to evaluate template language function '{name}': {reason}. Please see "
        f"https://aka.ms/arm-function-{name.lower()} for usage details."
    )
