"""The bodies of HCL's blocks, made into options with the place of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from verified_images.templates.packer.findings import Place, Section
from verified_images.templates.packer.hcl.evaluator import items_of
from verified_images.templates.packer.hcl.scope import UnknownValueError
from verified_images.templates.packer.hcl.syntax import HclSyntaxError, line_of, trees_below
from verified_images.templates.packer.hcl.values import DataSourceError, HclError, bare, to_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.packer.hcl.evaluator import Evaluator
    from verified_images.templates.packer.hcl.scope import Scope
    from verified_images.templates.packer.hcl.syntax import Attribute, Block, Body, Expression
    from verified_images.templates.packer.sensitive import Secrets
    from verified_images.templates.problems import KeyPath


class PlaceMap:
    """Where the key paths of several files stand; those that are not known are near one that is."""

    def __init__(self, file: Path) -> None:
        self._first = Place(file, None)
        self._places: dict[KeyPath, Place] = {}

    def note(self, path: KeyPath, file: Path, line: int | None) -> None:
        """Say where a key path stands, unless it is known."""
        self._places.setdefault(path, Place(file, line))

    def __call__(self, path: KeyPath) -> Place:
        """Return where a key path, or else what it stands in, is."""
        lengths = range(len(path), -1, -1)
        return next((self._places[path[:length]] for length in lengths if path[:length] in self._places), self._first)


class BodyReader:
    """Reads bodies with the values of their expressions; what is wrong with them is noted."""

    def __init__(self, evaluator: Evaluator, findings: Findings, places: PlaceMap, secrets: Secrets) -> None:
        self.evaluator = evaluator
        self.findings = findings
        self.places = places
        self.secrets = secrets

    def section(self, body: Body, path: KeyPath, file: Path, scope: Scope) -> Section:
        """Return the options of a body; blocks of one name become a list, one alone a mapping."""
        self.note(body, path, file)
        data = {name: self.option(attribute, (*path, name), scope) for name, attribute in body.attributes.items()}
        blocks: dict[str, list[Any]] = {}
        counted = Counter(block.type for block in body.blocks)
        for block in body.blocks:
            place = len(blocks.get(block.type, ()))
            if block.type == "dynamic" and block.labels:
                name = block.labels[0]
                blocks.setdefault(name, []).extend(self._expanded(block, (*path, name), file, scope))
            else:
                where = (*path, block.type) if counted[block.type] == 1 else (*path, block.type, place)
                self.places.note((*path, block.type), file, block.line)
                self.places.note(where, file, block.line)
                blocks.setdefault(block.type, []).append(self.section(block.body, where, file, scope).data)
        for name, values in blocks.items():
            data[name] = values[0] if len(values) == 1 else values
        return Section({name: value for name, value in data.items() if value is not None}, path)

    def note(self, body: Body, path: KeyPath, file: Path) -> None:
        """Note where the attributes of a body stand, and those that are there twice."""
        for name, attribute in body.attributes.items():
            self._note_lines(attribute.expression, (*path, name), file, attribute.line)
        for attribute in body.repeated:
            first = body.attributes[attribute.name].line
            message = f"the key '{attribute.name}' appears twice; the first is in line {first}"
            self.findings.error_at(Place(file, attribute.line), attribute.name, message)

    def option(self, attribute: Attribute, path: KeyPath, scope: Scope) -> Any:  # noqa: ANN401 - options
        """Return the value of an attribute as an option, or None if it has none, which is noted."""
        value = self.value(attribute.expression, path, scope)
        try:
            return to_options(value)
        except (HclError, RecursionError) as error:
            self.findings.error(path, self.secrets.mask(str(error)))
            return None

    def value(self, tree: Expression, path: KeyPath, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
        """Return the value of an expression, or None if it has none, which is noted."""
        try:
            return self.value_with_data(tree, path, scope)
        except DataSourceError as error:
            self.findings.error(path, self.secrets.mask(str(error)))
            return None

    def value_with_data(self, tree: Expression, path: KeyPath, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
        """Return the value of an expression as ``value`` does; DataSourceError if it needs what is not asked."""
        try:
            return self.evaluator.evaluate(tree, scope)
        except DataSourceError:
            raise
        except (HclError, HclSyntaxError) as error:
            self.findings.error(path, self.secrets.mask(str(error)))
        except UnknownValueError:
            self.findings.spoil(path)
        return None

    def _expanded(self, block: Block, path: KeyPath, file: Path, scope: Scope) -> Iterator[dict[str, Any]]:
        """Yield the options of each block that a ``dynamic`` block stands for."""
        for body, where, inner in self.rounds(block, path, file, scope):
            yield dict(self.section(body, where, file, inner).data)

    def rounds(self, block: Block, path: KeyPath, file: Path, scope: Scope) -> Iterator[tuple[Body, KeyPath, Scope]]:
        """Yield the body of each block that a ``dynamic`` block stands for, with its place and what it may use."""
        self.places.note(path, file, block.line)
        content = next((inner for inner in block.body.blocks if inner.type == "content"), None)
        collection = block.body.attributes.get("for_each")
        if content is None or collection is None:
            self.findings.lacks(path, "a dynamic block needs 'for_each' and 'content'")
            return
        given = block.body.attributes.get("iterator")
        iterator = block.labels[0] if given is None else _identifier(given.expression) or block.labels[0]
        try:
            rounds = items_of(self.value(collection.expression, path, scope) or [])
        except HclError as error:
            self.findings.error(path, str(error))
            return
        for place, (key, item) in enumerate(rounds):
            inner = scope.inner({iterator: {"key": key, "value": item}})
            where = (*path, place) if len(rounds) > 1 else path
            self.places.note(where, file, block.line)
            yield content.body, where, inner

    def _note_lines(self, tree: Expression, path: KeyPath, file: Path, line: int | None) -> None:
        """Note where a value stands, and what is in it where that is written out."""
        self.places.note(path, file, line)
        while tree.data == "expr_term" and len(trees_below(tree)) == 1:
            tree = trees_below(tree)[0]
        if tree.data == "tuple":
            for place, item in enumerate(trees_below(tree)):
                self._note_lines(item, (*path, place), file, line_of(item) or line)
        elif tree.data == "object":
            for element in trees_below(tree):
                key, value = trees_below(element)
                name = _identifier(key)
                if name is not None:
                    self._note_lines(value, (*path, name), file, line_of(element) or line)


def _identifier(tree: Expression) -> str | None:
    """Return the name or the plain text that an expression consists of, or None."""
    while trees_below(tree):
        tree = trees_below(tree)[0]
    text = tree.children[-1] if tree.children else None
    return None if text is None or not isinstance(text, str) else str(text)


def plain_texts(value: object) -> list[str] | None:
    """Return a list of texts, or None if the value is none."""
    inner, _ = bare(value)
    if isinstance(inner, list) and all(isinstance(item, str) for item in inner):
        return inner
    return None
