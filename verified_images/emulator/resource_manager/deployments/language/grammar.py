"""Expressions, from text to a tree.

Source: Azure Resource Manager, "Syntax and expressions in ARM templates": function calls, strings in single quotes,
whole numbers, property access and indexers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_$][\w$]*)|(?P<mark>\.\?|[()\[\],.?]))"
)
_NAMES = {
    "(": "LeftParenthesis",
    ")": "RightParenthesis",
    "[": "LeftSquareBracket",
    "]": "RightSquareBracket",
    ",": "Comma",
    ".": "Dot",
}
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or number that stands in the text."""

    value: str | float


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function; ``name`` has a namespace before a dot when the template itself defines it."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """A property or an element of a value; ``lenient`` gives null where there is none."""

    of: Node
    key: Node
    lenient: bool = False


Node = Literal | Call | Access


def is_expression(text: str) -> bool:
    """Tell whether a string of a template is an expression rather than text."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def plain_text(text: str) -> str:
    """Give a string that is no expression without the escape of a first bracket."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Read an expression with its brackets.

    Raises:
        TemplateError: it does not follow the grammar.
    """
    return _Parser(text[1:-1]).read_all()


def write(node: Node) -> str:
    """Give an expression's text, without brackets."""
    if isinstance(node, Literal):
        return "'" + node.value.replace("'", "''") + "'" if isinstance(node.value, str) else json.dumps(node.value)
    if isinstance(node, Access):
        return f"{write(node.of)}[{'?' if node.lenient else ''}{write(node.key)}]"
    return f"{node.name}({', '.join(write(argument) for argument in node.arguments)})"


def walk(node: Node) -> Iterator[Node]:
    """Give a node and all below it."""
    yield node
    below = node.arguments if isinstance(node, Call) else (node.of, node.key) if isinstance(node, Access) else ()
    for child in below:
        yield from walk(child)


class _Parser:
    """Reads one expression by recursive descent."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0
        self._depth = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        position, end = 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._fail(f"the string '{self._text[position:].strip()}' is not valid")
            yield str(match.lastgroup), match[str(match.lastgroup)]
            position = match.end()

    def _fail(self, reason: str) -> TemplateError:
        return TemplateError(
            f"Unable to parse language expression '{self._text}': {reason}. Please see "
            "https://aka.ms/arm-syntax-expressions for usage details."
        )

    def _peek(self, offset: int = 0) -> tuple[str, str]:
        at = self._at + offset
        return self._tokens[at] if at < len(self._tokens) else ("", "")

    def _take(self, mark: str) -> None:
        if self._peek()[1] != mark or self._peek()[0] != "mark":
            raise self._fail(f"expected token '{_NAMES[mark]}' and actual '{self._describe()}'")
        self._at += 1

    def _describe(self) -> str:
        kind, text = self._peek()
        if kind == "mark":
            return _NAMES.get(text, text)
        return {"string": "String", "number": "Integer", "name": "Identifier"}.get(kind, "EndOfData")

    def read_all(self) -> Node:
        node = self._read()
        if self._at < len(self._tokens):
            raise self._fail(f"expected token 'EndOfData' and actual '{self._describe()}'")
        return node

    def _read(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fail(f"it is nested deeper than {_DEEPEST} levels")
        node = self._read_access(self._read_first())
        self._depth -= 1
        return node

    def _read_first(self) -> Node:
        kind, text = self._peek()
        if kind == "string":
            self._at += 1
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            self._at += 1
            return Literal(float(text) if "." in text else int(text))
        if kind != "name":
            raise self._fail(f"expected token 'Identifier' and actual '{self._describe()}'")
        self._at += 1
        if self._peek()[1] == "." and self._peek(1)[0] == "name" and self._peek(2)[1] == "(":
            text = f"{text}.{self._peek(1)[1]}"
            self._at += 2
        return Call(text, self._read_arguments())

    def _read_arguments(self) -> tuple[Node, ...]:
        self._take("(")
        arguments: list[Node] = []
        if self._peek() != ("mark", ")"):
            arguments.append(self._read())
            while self._peek() == ("mark", ","):
                self._at += 1
                arguments.append(self._read())
        self._take(")")
        return tuple(arguments)

    def _read_access(self, node: Node) -> Node:
        while self._peek() in {("mark", "."), ("mark", ".?"), ("mark", "[")}:
            mark = self._peek()[1]
            self._at += 1
            if mark == "[":
                lenient = self._peek() == ("mark", "?")
                self._at += lenient
                node = Access(node, self._read(), lenient)
                self._take("]")
                continue
            kind, name = self._peek()
            if kind != "name":
                raise self._fail(f"expected token 'Identifier' and actual '{self._describe()}'")
            self._at += 1
            node = Access(node, Literal(name), mark == ".?")
        return node
