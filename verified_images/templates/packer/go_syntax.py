"""The syntax of Go's text/template, as far as Packer templates use it: text, pipelines, conditions, variables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

_DEEPEST = 30
_LONGEST = 100_000
"""More characters in actions than this are not written by hand."""


class GoTemplateError(Exception):
    """A text could not be rendered; the message is fit to be shown, without secrets."""


class Literal(NamedTuple):
    """A constant: text, a number, a truth value or nil."""

    value: str | int | float | bool | None


class Field(NamedTuple):
    """``.A.B``; without names it is the dot itself."""

    names: tuple[str, ...]


class Variable(NamedTuple):
    """``$name``."""

    name: str


class Call(NamedTuple):
    """A function with what stands behind it."""

    name: str
    arguments: tuple[Operand, ...]


class Pipeline(NamedTuple):
    """Commands, each of which gets the value before it as its last argument."""

    commands: tuple[Operand, ...]


Operand: TypeAlias = Literal | Field | Variable | Call | Pipeline


class Text(NamedTuple):
    """What stands between the actions."""

    text: str


class Output(NamedTuple):
    """An action that writes a value; with a ``target`` it sets a variable instead. ``source`` is how it is written."""

    pipeline: Pipeline
    target: str | None
    source: str


@dataclass(slots=True)
class Condition:
    """``{{if}}`` with what is written if it holds, and if not; ``{{with}}`` makes its value the dot of the former."""

    pipeline: Pipeline
    target: str | None = None
    is_dot: bool = False
    then: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


Node: TypeAlias = Text | Output | Condition

_ACTION = re.compile(
    r"\{\{(?P<before>-(?=\s))?"
    r"(?P<body>\s*/\*.*?\*/\s*?|(?:\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`|'(?:[^'\\\n]|\\.)*'|(?!\}\})[^\"`'])*?)"
    r"(?P<after>(?<=\s)-)?\}\}",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\\n]|\\.)*\")|(?P<raw>`[^`]*`)|(?P<character>'(?:[^'\\\n]|\\.)+')"
    r"|(?P<number>[+-]?(?:0[xX][0-9a-fA-F]{1,18}|\d{1,18}(?:\.\d{1,18})?))(?![\w.])"
    r"|(?P<field>(?:\.[A-Za-z_]\w*)+|\.(?![\w.]))|(?P<variable>\$\w*)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>:=|[|()=,])|(?P<wrong>\S))"
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
_NOT_SUPPORTED = ("range", "define", "template", "block", "break", "continue")


def parse_go_template(text: str) -> list[Node]:
    """Return what a template says.

    Raises:
        GoTemplateError: its syntax is wrong, or beyond what is supported.
    """
    root: list[Node] = []
    opened: list[tuple[Condition, list[Node]]] = []
    current, end, trim = root, 0, False
    while (start := text.find("{{", end)) != -1:
        match = _ACTION.match(text, start)
        if match is None:
            raise GoTemplateError(f"the action {_shown(text[start : start + 100])} is not closed with '}}}}'")
        between = text[end:start].lstrip() if trim else text[end:start]
        current.append(Text(between.rstrip() if match["before"] else between))
        end, trim = match.end(), bool(match["after"])
        current = _add_action(match, current, opened)
        if len(opened) > _DEEPEST:
            raise GoTemplateError("conditions are nested too deeply")
    if opened:
        raise GoTemplateError("'{{if}}' has no '{{end}}'")
    current.append(Text(text[end:].lstrip() if trim else text[end:]))
    return root


def _add_action(match: re.Match[str], current: list[Node], opened: list[tuple[Condition, list[Node]]]) -> list[Node]:
    """Add what an action says and return the list that the next one is added to."""
    body = match["body"].strip()
    if body.startswith("/*"):
        return current
    if len(body) > _LONGEST:
        raise GoTemplateError("an action is too long")
    keyword, _, rest = body.partition(" ")
    if keyword in {"if", "with"}:
        condition = _condition(keyword, rest, match[0])
        current.append(condition)
        opened.append((condition, current))
        return condition.then
    if keyword in {"else", "end"} and not opened:
        raise GoTemplateError(f"'{{{{{keyword}}}}}' without '{{{{if}}}}'")
    if keyword == "end":
        return opened.pop()[1]
    if keyword == "else":
        return _add_else(rest.strip(), match[0], opened)
    if keyword in _NOT_SUPPORTED:
        known = "'if', 'with', 'else' and 'end'"
        raise GoTemplateError(f"'{{{{{keyword}}}}}' is not supported; of Go's templates, {known} are")
    current.append(_Parser(body, match[0]).output())
    return current


def _add_else(rest: str, source: str, opened: list[tuple[Condition, list[Node]]]) -> list[Node]:
    condition, around = opened.pop()
    if not rest:
        opened.append((condition, around))
        return condition.otherwise
    keyword, _, rest = rest.partition(" ")
    if keyword not in {"if", "with"}:
        raise GoTemplateError(f"the action {_shown(source)} is not understood")
    # One {{end}} closes the whole chain.
    following = _condition(keyword, rest, source)
    condition.otherwise.append(following)
    opened.append((following, around))
    return following.then


def _condition(keyword: str, rest: str, source: str) -> Condition:
    output = _Parser(rest, source).output()
    return Condition(output.pipeline, output.target, is_dot=keyword == "with")


class _Parser:
    """Reads one action."""

    def __init__(self, body: str, source: str) -> None:
        self._source = source
        self._tokens = [(str(match.lastgroup), match[match.lastgroup or 0]) for match in _TOKEN.finditer(body.rstrip())]
        self._place = 0
        self._depth = 0

    def output(self) -> Output:
        target = None
        kinds = [kind for kind, _ in self._tokens[:2]]
        if kinds == ["variable", "sign"] and self._tokens[1][1] in {":=", "="}:
            target = self._tokens[0][1]
            self._place = 2
        return Output(self.pipeline_alone(), target, self._source)

    def pipeline_alone(self) -> Pipeline:
        pipeline = self._pipeline()
        if self._place < len(self._tokens):
            raise self._error()
        return pipeline

    def _pipeline(self) -> Pipeline:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise GoTemplateError("parentheses are nested too deeply")
        commands = [self._command()]
        while self._next_is("|"):
            self._place += 1
            commands.append(self._command())
        self._depth -= 1
        return Pipeline(tuple(commands))

    def _command(self) -> Operand:
        operands: list[Operand] = []
        while self._place < len(self._tokens) and not self._next_is("|") and not self._next_is(")"):
            operands.append(self._operand())
        if not operands:
            raise self._error()
        first = operands[0]
        if isinstance(first, Call):
            return Call(first.name, tuple(operands[1:]))
        if len(operands) > 1:
            raise GoTemplateError(f"in {_shown(self._source)} something stands behind what is not a function")
        return first

    def _operand(self) -> Operand:  # noqa: PLR0911 - one for each kind of token
        kind, word = self._tokens[self._place]
        self._place += 1
        match kind:
            case "text" | "raw":
                return Literal(word[1:-1] if kind == "raw" else unescape(word[1:-1]))
            case "character":
                return Literal(ord(unescape(word[1:-1])[0]))
            case "number":
                return Literal(float(word) if "." in word else int(word, 16 if "x" in word.lower() else 10))
            case "field":
                return Field(tuple(word.split(".")[1:]) if word != "." else ())
            case "variable":
                return Variable(word)
            case "name":
                if word in _CONSTANTS:
                    return Literal(_CONSTANTS[word])
                return Call(word, ())
            case "sign" if word == "(":
                inner = self._pipeline()
                if self._next_is(")"):
                    self._place += 1
                    return inner
        raise self._error()

    def _next_is(self, sign: str) -> bool:
        return self._place < len(self._tokens) and self._tokens[self._place] == ("sign", sign)

    def _error(self) -> GoTemplateError:
        return GoTemplateError(f"the action {_shown(self._source)} is not understood")


def unescape(text: str) -> str:
    """Return what a Go string literal stands for."""

    def replaced(match: re.Match[str]) -> str:
        if code := match[1] or match[2] or match[3]:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"  # noqa: PLR2004 - Unicode's end
        if match[4]:
            return chr(int(match[4], 8))
        return _ESCAPED.get(match[5], match[5])

    return _ESCAPE.sub(replaced, text)


def _shown(source: str) -> str:
    source = " ".join(source.split())
    return f"'{source}'" if len(source) <= 60 else f"'{source[:60]}...'"  # noqa: PLR2004 - about a line
