"""What the names in an expression stand for."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    EnvironmentFunction = Callable[[list[Any]], Any]


class NotYetKnownError(TemplateError):
    """The value depends on a resource as it is while the deployment runs."""


@dataclass(slots=True)
class Values:
    """Parameters, and variables, which are evaluated when they are first asked for.

    ``variables`` are None inside a function that the template defines: it sees its own parameters alone.
    """

    parameters: dict[str, Any]
    variables: dict[str, Any] | None = None
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    _evaluated: dict[str, Any] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def parameter(self, name: str) -> Any:
        """Give a parameter's value."""
        for key, value in self.parameters.items():
            if key.lower() == name.lower():
                return value() if callable(value) else value
        raise TemplateError(
            f"The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage "
            "details."
        )

    def variable(self, name: str, evaluate: Callable[[Any], Any]) -> Any:
        """Give a variable's value."""
        key = name.lower()
        raw = next((text for known, text in (self.variables or {}).items() if known.lower() == key), None)
        if raw is None and key not in {known.lower() for known in self.variables or {}}:
            raise TemplateError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for "
                "usage details."
            )
        if key not in self._evaluated:
            if key in self._begun:
                raise TemplateError(
                    f"The template variable '{name}' is not valid: circular reference to itself. Please see "
                    "https://aka.ms/arm-syntax-variables for usage details."
                )
            self._begun.add(key)
            try:
                self._evaluated[key] = evaluate(raw)
            finally:
                self._begun.discard(key)
        return self._evaluated[key]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: ``loops`` are the indexes of the copies around it, ``loop`` the resource's own one.

    ``environment`` are the functions that tell of the deployment and of resources; ``lenient`` leaves an expression
    as it is that cannot be evaluated yet.
    """

    values: Values
    environment: Mapping[str, EnvironmentFunction]
    loops: Mapping[str, int] = field(default_factory=dict)
    loop: str = ""
    bound: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False

    def in_loop(self, name: str, index: int, *, own: bool = False) -> Scope:
        """Give the scope of one turn of a copy; ``own`` makes it the one that copyIndex() means."""
        return replace(self, loops={**self.loops, name.lower(): index}, loop=name.lower() if own else self.loop)

    def binding(self, names: Mapping[str, Any]) -> Scope:
        """Give the scope of a lambda's body."""
        return replace(self, bound={**self.bound, **{name.lower(): value for name, value in names.items()}})

    def copy_index(self, arguments: list[Any]) -> int:
        """Give the index of a copy: ``copyIndex([name], [offset])``."""
        name = arguments.pop(0) if arguments and isinstance(arguments[0], str) else self.loop
        offset = arguments.pop(0) if arguments and isinstance(arguments[0], int) else 0
        if arguments or name.lower() not in self.loops:
            raise TemplateError(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in "
                "a resource with copy specified. Please see https://aka.ms/arm-copy for usage details."
            )
        return self.loops[name.lower()] + int(offset)
