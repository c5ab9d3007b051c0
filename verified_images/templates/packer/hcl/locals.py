"""The ``locals`` of a Packer HCL template, each worked out when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.findings import Place
from verified_images.templates.packer.hcl.evaluator import constant
from verified_images.templates.packer.hcl.scope import Names, UnknownValueError
from verified_images.templates.packer.hcl.values import DataSourceError, HclError, Marked, mark, to_bool

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.packer.hcl.bodies import BodyReader
    from verified_images.templates.packer.hcl.scope import Scope
    from verified_images.templates.packer.hcl.syntax import Attribute, Block, Expression
    from verified_images.templates.problems import KeyPath

_MOST_PENDING = 30


class _Local(NamedTuple):
    expression: Expression
    path: KeyPath
    sensitive: bool = False


class HclLocals:
    """The locals; ``scope`` is what their expressions may use, themselves included, and is set once it is known."""

    scope: Scope

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._found: dict[str, _Local] = {}
        self._values: dict[str, Any] = {}
        self._pending: list[str] = []
        self._unanswered: dict[str, DataSourceError] = {}

    def declare_all(self, block: Block, file: Path) -> None:
        """Take a ``locals`` block."""
        self._reader.note(block.body, ("locals",), file)
        for name, attribute in block.body.attributes.items():
            path = ("locals", name)
            self._add(name, _Local(attribute.expression, path), Place(file, attribute.line))
        for inner in block.body.blocks:  # an older way to write a map
            message = f"'{inner.type}' needs a '=' here"
            self._reader.findings.error_at(Place(file, inner.line), f"locals.{inner.type}", message)

    def declare(self, block: Block, file: Path) -> None:
        """Take a ``local`` block, which has an ``expression``."""
        (name,) = block.labels
        path = ("local", name)
        self._reader.places.note(path, file, block.line)
        self._reader.note(block.body, path, file)
        expression = block.body.attributes.get("expression")
        if expression is None:
            self._reader.findings.error(path, "the key 'expression' is required")
            return
        sensitive = self._flag(block.body.attributes.get("sensitive"), (*path, "sensitive"))
        self._add(name, _Local(expression.expression, (*path, "expression"), sensitive), Place(file, block.line))

    def names(self) -> Names:
        """Return what ``local`` stands for."""
        return Names(self._value, self._found, self._explain)

    def work_out(self) -> None:
        """Work out all of them, so that mistakes are seen also in those that nothing uses."""
        for name in self._found:
            try:
                self._value(name)
            except (HclError, UnknownValueError, RecursionError):
                continue

    def _value(self, name: str) -> Any:  # noqa: ANN401 - values of HCL
        if name in self._unanswered:
            raise self._unanswered[name]
        if name not in self._values:
            if name in self._pending or len(self._pending) > _MOST_PENDING:
                chain = " -> ".join((*self._pending, name))
                raise HclError(f"the locals need each other: {chain}")
            local = self._found[name]
            value = self._work_out(name, local)
            self._values[name] = mark(value, marked=local.sensitive)
            if local.sensitive and isinstance(value, str):
                self._reader.secrets.add(value)
            elif local.sensitive and isinstance(value, Marked) and isinstance(value.value, str):
                self._reader.secrets.add(value.value)
        if self._reader.findings.is_spoilt(self._found[name].path):
            raise UnknownValueError
        return self._values[name]

    def _work_out(self, name: str, local: _Local) -> Any:  # noqa: ANN401 - values of HCL
        self._pending.append(name)
        try:
            return self._reader.value_with_data(local.expression, local.path, self.scope)
        except DataSourceError as error:
            # What is made for the builds of other clouds is told only where one of ours uses it.
            self._unanswered[name] = error
            raise
        finally:
            self._pending.pop()

    def _add(self, name: str, local: _Local, place: Place) -> None:
        if name in self._found:
            self._reader.findings.error_at(place, f"local.{name}", f"there is another local '{name}'")
        self._found.setdefault(name, local)

    def _explain(self, name: str) -> str:
        return f"there is no local '{name}'{did_you_mean(name, self._found)}"

    def _flag(self, attribute: Attribute | None, path: KeyPath) -> bool:
        try:
            return attribute is not None and to_bool(constant(attribute.expression))
        except HclError as error:
            self._reader.findings.error(path, str(error))
            return True
