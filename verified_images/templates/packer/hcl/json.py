"""Packer's HCL written as JSON (``*.pkr.json``): the same blocks and attributes, with expressions in ``${}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lark import Token, Tree
from lark.tree import Meta

from verified_images.templates.documents import read_document
from verified_images.templates.packer.hcl.syntax import (
    Attribute,
    Block,
    Body,
    HclSyntaxError,
    parse_expression,
    parse_template,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.templates.packer.hcl.syntax import Expression
    from verified_images.templates.problems import KeyPath, Problems

# The blocks that a block may hold: how many labels each has, and its own blocks. All else is an attribute.
_BLOCKS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "packer": (0, {"required_plugins": (0, {})}),
    "variable": (1, {"validation": (0, {})}),
    "variables": (0, {}),
    "locals": (0, {}),
    "local": (1, {}),
    "source": (2, {}),
    "data": (2, {}),
    "communicator": (2, {}),
    "hcp_packer_registry": (0, {}),
    "build": (
        0,
        {
            "source": (1, {}),
            "provisioner": (1, {}),
            "error-cleanup-provisioner": (1, {}),
            "post-processor": (1, {}),
            "post-processors": (0, {"post-processor": (1, {})}),
            "hcp_packer_registry": (0, {}),
        },
    ),
}


def read_hcl_json(file: Path, *, variables: bool = False) -> Body:
    """Return what a file says; with ``variables`` it holds nothing but values of variables.

    Raises:
        TemplateError: it cannot be read, or its syntax is wrong.
    """
    document = read_document(file)
    reader = _Reader(document.problems)
    if not isinstance(document.data, dict):
        document.problems.add((), "a mapping is needed")
    document.problems.raise_if_any()
    body = reader.body(document.data, (), {} if variables else _BLOCKS)
    document.problems.raise_if_any()
    return body


class _Shape(NamedTuple):
    """How many labels a block has, which blocks it may hold, and the labels found so far."""

    wanted: int
    blocks: Mapping[str, tuple[int, Mapping[str, Any]]]
    labels: tuple[str, ...] = ()


class _Reader:
    """Makes blocks, attributes and expressions of JSON's values."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def body(self, data: Mapping[str, Any], path: KeyPath, blocks: Mapping[str, tuple[int, Mapping[str, Any]]]) -> Body:
        body = Body()
        for name, value in data.items():
            where = (*path, name)
            if name == "//":  # HCL's comment in JSON
                continue
            if name in blocks:
                wanted, inner = blocks[name]
                body.blocks += self._blocks(value, where, name, _Shape(wanted, inner))
            else:
                line = self._problems.line_of(where) or 1
                expression = self._expression(value, where)
                body.attributes[name] = Attribute(name, expression, line)
        return body

    def _blocks(self, value: Any, path: KeyPath, name: str, shape: _Shape) -> Iterator[Block]:  # noqa: ANN401 - JSON
        """Yield the blocks that a value stands for: labels are keys, and a list holds several blocks."""
        listed = isinstance(value, list)
        for where, item in [((*path, place), item) for place, item in enumerate(value)] if listed else [(path, value)]:
            if not isinstance(item, dict):
                self._problems.add(where, "a mapping is needed")
            elif len(shape.labels) < shape.wanted:
                for label, rest in item.items():
                    if label != "//":
                        inner = shape._replace(labels=(*shape.labels, label))
                        yield from self._blocks(rest, (*where, label), name, inner)
            else:
                body = self.body(item, where, shape.blocks)
                yield Block(name, shape.labels, body, self._problems.line_of(where) or 1)

    def _expression(self, value: Any, path: KeyPath) -> Expression:  # noqa: ANN401 - JSON
        meta = Meta()  # type: ignore[no-untyped-call]
        meta.empty = False
        meta.line = self._problems.line_of(path) or 1
        if isinstance(value, dict):
            elements: list[Any] = [
                Tree("object_elem", [_text_tree(key, meta), self._expression(item, (*path, key))], meta)
                for key, item in value.items()
                if key != "//"
            ]
            return Tree("object", elements, meta)
        if isinstance(value, list):
            items: list[Any] = [self._expression(item, (*path, place)) for place, item in enumerate(value)]
            return Tree("tuple", items, meta)
        if value is None:
            return Tree("literal_value", [Token("NULL", "null")], meta)
        if path[-1:] == ("type",) and path[:1] == ("variable",):
            return self._parsed(parse_expression, value, path, meta)
        if "${" in value or "%{" in value:
            return self._parsed(parse_template, value, path, meta)
        return Tree("json_text", [Token("STRING", value)], meta)

    def _parsed(self, parse: Any, text: str, path: KeyPath, meta: Meta) -> Expression:  # noqa: ANN401 - a parser
        try:
            return Tree("expr_term", [parse(text)], meta)
        except HclSyntaxError as error:
            self._problems.add(path, str(error))
            return Tree("json_text", [Token("STRING", "")], meta)


def _text_tree(text: str, meta: Meta) -> Expression:
    return Tree("object_elem_key", [Tree("expr_term", [Tree("json_text", [Token("STRING", text)], meta)], meta)], meta)
