"""Packer's HCL files as blocks, attributes and expressions, with the line of each.

Expressions are the trees of python-hcl2's grammar rather than its dictionaries, which know neither lines nor the
difference between an expression and a text that looks like one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from hcl2.parser import parser
from lark import Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from verified_images.templates.documents import fail, read_text

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    Expression: TypeAlias = Tree[Token]

LARGEST_HCL = 256 * 1024
"""Larger files are refused, in characters."""
_MOST_OPEN = 200
_HEREDOC = re.compile(r"<<-?([A-Za-z][A-Za-z0-9._-]*)\r?\n")


class HclSyntaxError(Exception):
    """A text is not HCL, because of what stands in ``line``, from 1 where it is known."""

    def __init__(self, message: str, line: int | None) -> None:
        self.line = line
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Attribute:
    """``name = expression``."""

    name: str
    expression: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """``type "label" { ... }``."""

    type: str
    labels: tuple[str, ...]
    body: Body
    line: int


@dataclass(slots=True)
class Body:
    """What stands in a file or a block; of an attribute that is there twice, ``repeated`` holds the second."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    repeated: list[Attribute] = field(default_factory=list)


def read_hcl(file: Path) -> Body:
    """Return what a file says.

    Raises:
        TemplateError: it cannot be read, or its syntax is wrong.
    """
    text = read_text(file, allow_empty=True)
    if text.lstrip().startswith("{"):
        fail(file, "this is JSON; name it *.json if it has 'builders', else *.pkr.json or *.pkrvars.json", 1)
    try:
        return _body(trees_below(parse_hcl(text))[0])
    except HclSyntaxError as error:
        fail(file, str(error), error.line)
    except RecursionError:
        fail(file, "blocks or expressions are nested too deeply")


def parse_hcl(text: str) -> Expression:
    """Return the tree of a file; HclSyntaxError if there is none."""
    _check_limits(text)
    try:
        return parser().parse(_with_directives(text) + "\n")
    except UnexpectedInput as error:
        line = error.line if error.line > 0 else None
        raise HclSyntaxError(_sentence(error, text), line) from None
    except (LarkError, RecursionError) as error:
        raise HclSyntaxError(f"this is not HCL: {str(error).partition(chr(10))[0]}", None) from None


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> Expression:
    """Return the tree of an expression; HclSyntaxError if there is none."""
    tree = parse_hcl(f"_ = {text}")
    attribute = trees_below(trees_below(tree)[0])
    if len(attribute) != 1 or attribute[0].data != "attribute":
        raise HclSyntaxError("one expression is needed", None)
    return trees_below(attribute[0])[-1]


def parse_template(text: str) -> Expression:
    """Return the tree of a text with ``${...}`` and ``%{...}``, in which backslashes have no meaning."""
    return parse_expression(_as_quoted(text))


def parse_heredoc(heredoc: str) -> Expression:
    """Return the tree of what stands between the first line of a heredoc and its last."""
    content = heredoc.partition("\n")[2].rstrip("\r\n")
    return parse_template(content[: content.rindex("\n") + 1] if "\n" in content else "")


def trees_below(tree: Expression) -> list[Expression]:
    """Return the children of a tree that mean something: no punctuation, line ends or comments."""
    return [child for child in tree.children if isinstance(child, Tree) and child.data != "new_line_or_comment"]


def line_of(tree: Expression) -> int | None:
    """Return the line that a tree begins in, where it is known."""
    return None if tree.meta.empty else tree.meta.line


def _body(tree: Expression, opened: int = 0, closed: int = 0) -> Body:
    """Return what a body holds; ``opened`` and ``closed`` are the lines of its braces, where it has some."""
    body = Body()
    ended = 0
    _check_braces(trees_below(tree), opened, closed)
    for child in trees_below(tree):
        if child.meta.line == ended:  # which python-hcl2 allows
            raise HclSyntaxError("each argument and each block needs a line of its own", ended)
        ended = _last_line(child)
        parts = trees_below(child)
        if child.data == "attribute":
            attribute = Attribute(_name(parts[0]), parts[-1], child.meta.line)
            if attribute.name in body.attributes:
                body.repeated.append(attribute)
            body.attributes.setdefault(attribute.name, attribute)
        else:
            names = [_name(part) for part in parts[:-1]]
            inner = _body(parts[-1], _opening_line(child), _last_line(child))
            body.blocks.append(Block(names[0], tuple(names[1:]), inner, child.meta.line))
    return body


def _opening_line(block: Expression) -> int:
    return next(part.line or 0 for part in block.children if isinstance(part, Token) and part.type == "LBRACE")


def _check_braces(children: list[Expression], opened: int, closed: int) -> None:
    """Refuse what HCL does: something on the line of a brace that opens a block of several lines, or ends it."""
    if not children or not opened:
        return
    first, last = children[0].meta.line, _last_line(children[-1])
    if opened == closed and (len(children) > 1 or children[0].data != "attribute"):
        raise HclSyntaxError("a block on one line can hold one argument alone; give each a line of its own", opened)
    if opened != closed and first == opened:
        raise HclSyntaxError("what stands in a block of several lines begins on the line after its '{'", opened)
    if opened != closed and last == closed:
        raise HclSyntaxError("the '}' of a block of several lines stands on a line of its own", closed)


def _last_line(tree: Expression) -> int:
    """Return the line that a tree ends in; the line ends behind an expression may be a part of its tree."""
    last = 0
    for token in tree.scan_values(lambda value: isinstance(value, Token)):
        if token.type != "NL_OR_COMMENT" and token.line is not None and (text := token.rstrip()):
            last = max(last, token.line + text.count("\n"))
    return last


def _name(tree: Expression) -> str:
    """Return the name of an attribute or block, or a block's label."""
    if tree.data != "string":
        return str(tree.children[0])
    parts = [part.children[0] for part in trees_below(tree)]
    if any(isinstance(part, Tree) for part in parts):
        raise HclSyntaxError("a block's label must be plain text", line_of(tree))
    return "".join(map(str, parts))


def _check_limits(text: str) -> None:
    if len(text) > LARGEST_HCL:
        raise HclSyntaxError(f"the file is larger than {LARGEST_HCL // 1024} KiB", None)
    depth = 0
    for character in re.findall(r"[\[\](){}]", text):
        depth += 1 if character in "[({" else -1
        if depth > _MOST_OPEN:
            raise HclSyntaxError("brackets are nested too deeply", None)
    # The grammar's own search for the end of a heredoc is slow where there is none.
    for match in _HEREDOC.finditer(text):
        if not re.search(rf"^[ \t]*{re.escape(match[1])}\r?$", text[match.end() :], re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            raise HclSyntaxError(f"the text that begins with '<<{match[1]}' has no end: '{match[1]}' on its own", line)


def _sentence(error: UnexpectedInput, text: str) -> str:
    found = getattr(error, "token", None)
    shown = str(found) if found is not None else text[error.pos_in_stream :][:1]
    shown = " ".join(shown.split()[:1])[:30] or "the end of the line"
    return f"this is not HCL: '{shown}' is not expected here (column {error.column})"


def _as_quoted(text: str) -> str:
    """Return a text as HCL writes it in quotes; what stands in ``${}`` and ``%{}`` stays as it is."""
    quoted = ['"']
    place = 0
    while place < len(text):
        if text.startswith(("$${", "%%{"), place):
            quoted.append(text[place : place + 3])
            place += 3
        elif text.startswith(("${", "%{"), place):
            end = _end_of_sequence(text, place + 2)
            quoted.append(text[place:end])
            place = end
        else:
            quoted.append({'"': '\\"', "\\": "\\\\"}.get(text[place], text[place]))
            place += 1
    return "".join((*quoted, '"'))


def _with_directives(text: str) -> str:
    """Return a text with ``${~ x ~}``, which python-hcl2 does not know, said by a directive that does the same."""
    if "${~" not in text and "~}" not in text:
        return text
    pieces = []
    place = 0
    for match in re.finditer(r"(?<!\$)\$\{", text):
        if match.start() < place:
            continue
        try:
            end = _end_of_sequence(text, match.end())
        except HclSyntaxError:  # in a comment, or wrong
            continue
        inner = text[match.end() : end - 1]
        before, after = ("~" if inner.startswith("~") else ""), ("~" if inner.endswith("~") else "")
        inner = _with_directives(inner.removeprefix("~").removesuffix("~"))
        whole = f"%{{{before} if true }}${{{inner}}}%{{ endif {after}}}" if before or after else f"${{{inner}}}"
        pieces += [text[place : match.start()], whole]
        place = end
    return "".join((*pieces, text[place:]))


def _end_of_sequence(text: str, place: int) -> int:
    """Return the place behind the brace that closes a sequence which was opened before ``place``."""
    depth = 1
    quotes: list[int] = []
    while place < len(text):
        character = text[place]
        if quotes and quotes[-1] == depth:  # in a text
            if character == "\\":
                place += 1
            elif character == '"':
                quotes.pop()
            elif text.startswith(("${", "%{"), place) and not text.startswith(("$${", "%%{"), place - 1):
                depth += 1
                place += 1
        elif character == '"':
            quotes.append(depth)
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    raise HclSyntaxError("a sequence that begins with '${' or '%{' has no '}'", None)
