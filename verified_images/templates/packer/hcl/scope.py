"""The names that an HCL expression may use: ``var.x``, ``local.y``, ``path.root``, and those of its ``for``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.hcl.values import HclError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class UnknownValueError(Exception):
    """The expression uses a value that is wrong because of a problem noted elsewhere."""


class Names:
    """What stands before the dot, such as ``var``: gives values by name.

    ``explain`` turns a name that is not known into a sentence.
    """

    def __init__(
        self,
        find: Callable[[str], Any],
        known: Iterable[str],
        explain: Callable[[str], str],
    ) -> None:
        self._find = find
        self._known = frozenset(known)
        self._explain = explain

    def get(self, name: str) -> Any:  # noqa: ANN401 - values of HCL
        """Return the value of a name.

        Raises:
            HclError: there is no such name.
            UnknownValueError: its value is wrong.
        """
        if name not in self._known:
            raise HclError(self._explain(name))
        return self._find(name)

    def everything(self) -> dict[str, Any]:
        """Return all values by name."""
        return {name: self._find(name) for name in sorted(self._known)}


class Scope:
    """The names of one expression; ``inner`` ones, such as those of a ``for``, hide outer ones."""

    def __init__(self, names: Mapping[str, Any], outer: Scope | None = None) -> None:
        self._names = names
        self._outer = outer

    def inner(self, names: Mapping[str, Any]) -> Scope:
        """Return a scope with some more names."""
        return Scope(names, self)

    def get(self, name: str) -> Any:  # noqa: ANN401 - values of HCL, or Names
        """Return what a name stands for.

        Raises:
            HclError: there is no such name.
        """
        scope: Scope | None = self
        known: list[str] = []
        while scope is not None:
            if name in scope._names:  # noqa: SLF001 - its own class
                return scope._names[name]  # noqa: SLF001 - its own class
            known += scope._names  # noqa: SLF001 - its own class
            scope = scope._outer  # noqa: SLF001 - its own class
        if name in {"data", "each", "self", "count"}:
            raise HclError(f"'{name}' has no value here")
        raise HclError(f"there is no name '{name}' here{did_you_mean(name, known)}; text must be in quotes")


def names_of(what: str, values: Mapping[str, Any]) -> Names:
    """Return names with these values; ``what`` is how the names begin, such as "path"."""
    return Names(values.__getitem__, values, lambda name: f"there is no '{what}.{name}'{did_you_mean(name, values)}")
