"""HCL's texts: escapes, ``${...}``, and the directives ``%{if}`` and ``%{for}``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark import Token, Tree

from verified_images.templates.packer.hcl.syntax import trees_below
from verified_images.templates.packer.hcl.values import HclError, Marked, check_size, mark, to_bool, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.templates.packer.hcl.evaluator import Evaluator
    from verified_images.templates.packer.hcl.scope import Scope
    from verified_images.templates.packer.hcl.syntax import Expression

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_BEGIN = {"template_if_start": "template_endif", "template_for_start": "template_endfor"}


def write_string(evaluator: Evaluator, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
    """Return what a text in quotes stands for: text, unless it is nothing but one ``${...}``."""
    parts = [part.children[0] for part in trees_below(tree)]
    if tree.data == "template_string":
        return _unescape(str(tree.children[0])[2:-2])
    if len(parts) == 1 and isinstance(parts[0], Tree) and parts[0].data == "interpolation":
        return evaluator.value(trees_below(parts[0])[0], scope)
    return _written(evaluator, _stripped(_joined(parts)), scope)


def write_lines(evaluator: Evaluator, tree: Expression, scope: Scope, *, indented: bool = False) -> Any:  # noqa: ANN401
    """Return what a heredoc or a file stands for; an ``indented`` one loses what its lines have in common.

    Of these HCL reads each line apart, so that ``~`` takes away no more than the rest of its own line.
    """
    (string,) = trees_below(tree)
    parts = [part.children[0] for part in trees_below(string)]
    if len(parts) == 1 and isinstance(parts[0], Tree):
        return write_string(evaluator, string, scope)
    lines: list[Any] = []
    for part in _joined(parts):
        lines += part.splitlines(keepends=True) if isinstance(part, str) else [part]
    lines = _stripped(lines)
    return _written(evaluator, _without_indent(lines) if indented else lines, scope)


def _written(evaluator: Evaluator, parts: list[Any], scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
    writer = _Writer(evaluator)
    text = check_size("".join(writer.write(parts, scope)))
    return mark(text, marked=writer.marked)


class _Writer:
    """Writes the parts of a text one after the other; ``marked`` once something sensitive was among them."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.marked = False
        self._evaluator = evaluator
        self._size = 0

    def write(self, parts: list[Any], scope: Scope) -> Iterator[str]:
        place = 0
        while place < len(parts):
            part = parts[place]
            if isinstance(part, str):
                yield self._counted(part)
            elif part.data == "interpolation":
                value = self._evaluator.value(trees_below(part)[0], scope)
                self.marked = self.marked or isinstance(value, Marked)
                yield self._counted(to_text(value))
            elif part.data in _BEGIN:
                end, middle = _end_of(parts, place)
                yield from self._directive(part, parts[place + 1 : middle], parts[middle + 1 : end], scope)
                place = end
            else:
                raise HclError("a directive such as %{endif} or %{else} stands alone")
            place += 1

    def _directive(self, start: Any, first: list[Any], second: list[Any], scope: Scope) -> Iterator[str]:  # noqa: ANN401
        *names, subject = trees_below(start)
        if start.data == "template_if_start":
            holds = to_bool(self._evaluator.value(subject, scope))
            yield from self.write(first if holds else second, scope)
            return
        for inner in self._evaluator.rounds([str(name.children[0]) for name in names], subject, scope):
            yield from self.write(first, inner)

    def _counted(self, text: str) -> str:
        self._size += len(text)
        if self._size > 1024 * 1024:
            raise HclError("the text grows too large")
        return text


def _end_of(parts: list[Any], start: int) -> tuple[int, int]:
    """Return the places of the directive that ends the one at ``start``, and of its ``else`` (or the end again)."""
    depth, middle = 0, None
    for place in range(start, len(parts)):
        data = "" if isinstance(parts[place], str) else parts[place].data
        if data in _BEGIN:
            depth += 1
        elif data == "template_else" and depth == 1:
            middle = place
        elif data in _BEGIN.values():
            depth -= 1
            if depth == 0:
                return place, place if middle is None else middle
    raise HclError("a directive such as %{if} or %{for} has no end")


def _joined(parts: list[Any]) -> list[Any]:
    """Return the parts with plain text unescaped and in one piece."""
    found: list[Any] = []
    for part in parts:
        if isinstance(part, Tree):
            found.append(part)
        elif found and isinstance(found[-1], str):
            found[-1] += _plain(part)
        else:
            found.append(_plain(part))
    return found


def _stripped(parts: list[Any]) -> list[Any]:
    """Return the parts without the white space that ``~`` takes away."""
    found = list(parts)
    for place, part in enumerate(parts):
        if isinstance(part, str) or part.data == "interpolation":
            continue
        tokens = [child for child in part.children if isinstance(child, Token)]
        if len(tokens) > 1 and tokens[1].type == "STRIP_MARKER" and place > 0 and isinstance(found[place - 1], str):
            found[place - 1] = found[place - 1].rstrip()
        after = place + 1
        if tokens[-2].type == "STRIP_MARKER" and after < len(found) and isinstance(found[after], str):
            found[after] = found[after].lstrip()
    return found


def _without_indent(parts: list[Any]) -> list[Any]:
    """Return the parts of lines without the white space that all of them begin with; blank lines do not count."""
    starts = []
    new = True
    for place, part in enumerate(parts):
        if new and not (isinstance(part, str) and part.endswith("\n") and not part.strip()):
            starts.append(place)
        new = part.endswith("\n") if isinstance(part, str) else False
    indents = [
        len(parts[place]) - len(parts[place].lstrip()) if isinstance(parts[place], str) else 0 for place in starts
    ]
    common = min(indents, default=0)
    return [part[common:] if place in starts and isinstance(part, str) else part for place, part in enumerate(parts)]


def _plain(token: Token) -> str:
    # $${ and %%{ stand for ${ and %{.
    text = token[1:] if token.type in {"ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE"} else str(token)
    return _unescape(text)


def _unescape(text: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        if code := match[1] or match[2]:
            number = int(code, 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:  # noqa: PLR2004 - what is no character in Unicode
                raise HclError(f"'\\u{code}' is not a character")
            return chr(number)
        if match[3] not in _ESCAPED:
            raise HclError(f"'\\{match[3]}' is not an escape; to write a backslash, double it")
        return _ESCAPED[match[3]]

    return _ESCAPE.sub(replaced, text)
