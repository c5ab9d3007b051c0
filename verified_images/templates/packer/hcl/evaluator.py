"""Working out HCL's expressions."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Protocol

from lark import Token, Tree

from verified_images.templates.packer.hcl.scope import Names, Scope
from verified_images.templates.packer.hcl.strings import write_lines, write_string
from verified_images.templates.packer.hcl.syntax import parse_heredoc, trees_below
from verified_images.templates.packer.hcl.types import convert, read_type
from verified_images.templates.packer.hcl.values import (
    DataSourceError,
    HclError,
    Marked,
    bare,
    check_size,
    equal,
    kind_of,
    mark,
    to_bool,
    to_number,
    to_text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.templates.packer.hcl.syntax import Expression

_MOST_STEPS = 2_000_000


class Functions(Protocol):
    """What calls functions: those of a template, or none."""

    def call(self, name: str, arguments: list[Any], /) -> Any:  # noqa: ANN401 - values of HCL
        """Return what a function gives."""


class Evaluator:
    """Works out expressions, with ``functions``; there is a limit to the steps that all of them may take together."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._steps = 0

    def evaluate(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
        """Return the value of an expression.

        Raises:
            HclError: it has none.
            UnknownValueError: it uses a value that is wrong.
        """
        try:
            return _flat(self.value(tree, scope))
        except RecursionError:
            raise HclError("the expression is nested too deeply") from None

    def write(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL
        """Return what the text of a file stands for; it raises what ``evaluate`` does."""
        try:
            return write_lines(self, tree, scope)
        except RecursionError:
            raise HclError("the text is nested too deeply") from None

    def value(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401 - values of HCL, or Names
        """Return the value of a part of an expression."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise HclError("the template's expressions take too many steps")
        return check_size(_RULES[tree.data](self, tree, scope))

    def call(self, name: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - values of HCL
        """Return what a function gives."""
        return self._functions.call(name, arguments)

    def term(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out a term, which may be in parentheses."""
        return self.value(trees_below(tree)[0], scope)

    def literal(self, tree: Expression, _: Scope) -> Any:  # noqa: ANN401
        """Work out true, false or null."""
        return {"true": True, "false": False, "null": None}[str(tree.children[0])]

    def number(self, tree: Expression, _: Scope) -> Any:  # noqa: ANN401
        """Work out a number."""
        text = "".join(map(str, tree.children))
        if len(text) > 100:  # noqa: PLR2004 - nobody writes longer ones
            raise HclError("the number is too large")
        return whole(int(text) if tree.data == "int_lit" else float(text))

    def string(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out a text in quotes."""
        return write_string(self, tree, scope)

    def heredoc(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out a text of several lines."""
        token = str(tree.children[0])
        return write_lines(self, parse_heredoc(token), scope, indented=token.startswith("<<-"))

    def tuple(self, tree: Expression, scope: Scope) -> list[Any]:
        """Work out a list."""
        return [_flat(self.value(item, scope)) for item in trees_below(tree)]

    def object(self, tree: Expression, scope: Scope) -> dict[str, Any]:
        """Work out a map."""
        found: dict[str, Any] = {}
        for element in trees_below(tree):
            key, value = trees_below(element)
            found[self._key(key, scope)] = _flat(self.value(value, scope))
        return found

    def _key(self, tree: Expression, scope: Scope) -> str:
        """Return a key: a name stands for itself, unless it is in parentheses."""
        (inner,) = trees_below(tree)
        parts = inner.children
        if inner.data == "keyword":
            return str(parts[0])
        if len(parts) == 1 and isinstance(parts[0], Tree) and parts[0].data in {"identifier", "literal_value"}:
            return str(parts[0].children[0])
        return to_text(self.value(inner, scope))

    def name(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out a name."""
        return scope.get(str(tree.children[0]))

    def attribute(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out ``a.b``."""
        inner, step = trees_below(tree)
        return self._step(self.value(inner, scope), step, scope)

    def splat(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out ``a[*].b`` and ``a.*.b``: a list, also of a single value, and none of null."""
        inner, splat = trees_below(tree)
        value, marked = bare(_flat(self.value(inner, scope)))
        items = value if isinstance(value, list) else [] if value is None else [value]
        found = []
        for item in items:
            for step in trees_below(splat):
                item = self._step(item, step, scope)  # noqa: PLW2901 - from step to step
            found.append(mark(item, marked=marked))
        return found

    def _step(self, value: Any, step: Expression, scope: Scope) -> Any:  # noqa: ANN401
        match step.data:
            case "get_attr":
                (inner,) = trees_below(step)
                key: Any = str(inner.children[0])
            case "short_index":
                key = int(str(step.children[-1]))
            case _:
                (inner,) = trees_below(step)
                key, _ = bare(_flat(self.value(inner, scope)))
        if isinstance(value, Names):
            return value.get(to_text(key))
        return index(value, key)

    def conditional(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out ``a ? b : c``."""
        condition, then, otherwise = trees_below(tree)
        return self.value(then if to_bool(self.value(condition, scope)) else otherwise, scope)

    def unary(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out ``-a`` and ``!a``."""
        value, marked = bare(self.value(trees_below(tree)[0], scope))
        negated = not to_bool(value) if str(tree.children[0]) == "!" else whole(-to_number(value))
        return mark(negated, marked=marked and not isinstance(negated, bool))

    def binary(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out ``a + b`` and the like."""
        left_tree, term = trees_below(tree)
        sign_tree, right_tree = trees_below(term)
        sign = str(sign_tree.children[0]).strip().rpartition("\n")[2].strip()
        left = self.value(left_tree, scope)
        if sign in {"&&", "||"}:
            # Both are worked out, as in HCL, which has no short cut.
            right = to_bool(self.value(right_tree, scope))
            return (to_bool(left) and right) if sign == "&&" else (to_bool(left) or right)
        right = self.value(right_tree, scope)
        if sign in {"==", "!="}:
            return equal(left, right) is (sign == "==")
        if sign in _COMPARISONS:
            return _COMPARISONS[sign](to_number(left), to_number(right))
        marked = isinstance(left, Marked) or isinstance(right, Marked)
        return mark(_calculate(sign, to_number(left), to_number(right)), marked=marked)

    def function(self, tree: Expression, scope: Scope) -> Any:  # noqa: ANN401
        """Work out the call of a function."""
        names = [part for part in trees_below(tree) if part.data == "identifier"]
        name = "::".join(str(part.children[0]) for part in names)
        arguments = next((part for part in trees_below(tree) if part.data == "arguments"), None)
        trees = [] if arguments is None else trees_below(arguments)
        if name in {"try", "can"}:
            return self._try(name, trees, scope)
        if name == "convert" and len(trees) == 2:  # noqa: PLR2004 - a value and its type
            return convert(_flat(self.value(trees[0], scope)), read_type(trees[1]))
        values = [_flat(self.value(argument, scope)) for argument in trees]
        expanded = arguments is not None and any(
            isinstance(part, Token) and part.type == "ELLIPSIS" for part in arguments.children
        )
        if expanded:
            last, marked = bare(values.pop())
            if not isinstance(last, list):
                raise HclError("before '...' a list is needed")
            values += [mark(item, marked=marked) for item in last]
        return self.call(name, values)

    def _try(self, name: str, trees: list[Expression], scope: Scope) -> Any:  # noqa: ANN401
        for tree in trees:
            try:
                value = _flat(self.value(tree, scope))
            except DataSourceError:  # which Packer would have asked
                raise
            except HclError:
                continue
            return True if name == "can" else value
        if name == "can":
            return False
        raise HclError("none of the expressions of 'try' has a value")

    def for_tuple(self, tree: Expression, scope: Scope) -> list[Any]:
        """Work out ``[for x in list: ...]``."""
        intro, body, *rest = trees_below(tree)
        return [
            _flat(self.value(body, inner))
            for inner in self._rounds(intro, scope)
            if not rest or to_bool(self.value(trees_below(rest[-1])[0], inner))
        ]

    def for_object(self, tree: Expression, scope: Scope) -> dict[str, Any]:
        """Work out ``{for k, v in map: k => v}``, which collects values in lists if it ends in ``...``."""
        intro, key_tree, value_tree, *rest = trees_below(tree)
        grouped = any(isinstance(part, Token) and part.type == "ELLIPSIS" for part in tree.children)
        found: dict[str, Any] = {}
        for inner in self._rounds(intro, scope):
            if rest and not to_bool(self.value(trees_below(rest[-1])[0], inner)):
                continue
            key = to_text(self.value(key_tree, inner))
            value = _flat(self.value(value_tree, inner))
            if grouped:
                found.setdefault(key, []).append(value)
            elif key in found:
                raise HclError(
                    f"the key '{key}' is there twice; end the value with '...' to collect its values in lists"
                )
            else:
                found[key] = value
        return found

    def _rounds(self, intro: Expression, scope: Scope) -> Iterator[Scope]:
        *names, collection = trees_below(intro)
        return self.rounds([str(name.children[0]) for name in names], collection, scope)

    def rounds(self, names: list[str], collection: Expression, scope: Scope) -> Iterator[Scope]:
        """Yield the scope of each round of a loop over a collection, with one name or two."""
        for key, item in items_of(_flat(self.value(collection, scope))):
            self._steps += 1
            yield scope.inner({names[0]: item} if len(names) == 1 else {names[0]: key, names[1]: item})


def items_of(collection: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - values of HCL
    """Return the keys and values of a map, or the places and items of a list."""
    value, marked = bare(collection)
    if isinstance(value, dict):
        return [(key, mark(item, marked=marked)) for key, item in sorted(value.items())]
    if isinstance(value, list):
        return [(place, mark(item, marked=marked)) for place, item in enumerate(value)]
    raise HclError(f"a list or a map is needed, not {kind_of(value)}")


def index(collection: Any, key: Any) -> Any:  # noqa: ANN401 - values of HCL
    """Return what stands under a key or at a place."""
    value, marked = bare(collection)
    if isinstance(value, dict):
        key = to_text(key)
        if key not in value:
            raise HclError(f"there is no '{key}' in the map")
        return mark(value[key], marked=marked)
    if isinstance(value, list):
        place = to_number(key)
        if not isinstance(place, int) or not 0 <= place < len(value):
            raise HclError(f"the list has {len(value)} item(s), so that there is no item {place}")
        return mark(value[place], marked=marked)
    raise HclError(f"a list or a map is needed before '.{key}' or '[{key}]', not {kind_of(value)}")


def _flat(value: Any) -> Any:  # noqa: ANN401 - values of HCL, or Names
    """Return a value; of names all that they stand for."""
    return value.everything() if isinstance(value, Names) else value


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _calculate(sign: str, left: float, right: float) -> int | float:
    try:
        match sign:
            case "+":
                return whole(left + right)
            case "-":
                return whole(left - right)
            case "*":
                return whole(left * right)
            case "/":
                quotient = left / right
                return left // right if isinstance(left, int) and left % right == 0 else whole(quotient)
            case _:
                # The remainder has the sign of the dividend, as in Go.
                remainder = abs(left) % abs(right)
                return whole(-remainder if left < 0 else remainder)
    except ZeroDivisionError:
        raise HclError("a number is divided by zero") from None
    except OverflowError:
        raise HclError("the number is too large") from None


_RULES: dict[str, Callable[[Evaluator, Expression, Scope], Any]] = {
    "expr_term": Evaluator.term,
    "literal_value": Evaluator.literal,
    "int_lit": Evaluator.number,
    "float_lit": Evaluator.number,
    "string": Evaluator.string,
    "template_string": Evaluator.string,
    "heredoc_template": Evaluator.heredoc,
    "heredoc_template_trim": Evaluator.heredoc,
    "tuple": Evaluator.tuple,
    "object": Evaluator.object,
    "identifier": Evaluator.name,
    "get_attr_expr_term": Evaluator.attribute,
    "index_expr_term": Evaluator.attribute,
    "attr_splat_expr_term": Evaluator.splat,
    "full_splat_expr_term": Evaluator.splat,
    "conditional": Evaluator.conditional,
    "unary_op": Evaluator.unary,
    "binary_op": Evaluator.binary,
    "function_call": Evaluator.function,
    "for_tuple_expr": Evaluator.for_tuple,
    "for_object_expr": Evaluator.for_object,
    "json_text": lambda _, tree, __: str(tree.children[0]),
}


class _NoFunctions:
    """The functions of an expression that may use none."""

    def call(self, name: str, _: list[Any]) -> Any:  # noqa: ANN401 - values of HCL
        raise HclError(f"the function '{name}' cannot be used here: a plain value is needed")


def constant(tree: Expression) -> Any:  # noqa: ANN401 - values of HCL
    """Return the value of an expression that uses neither names nor functions."""
    return Evaluator(_NoFunctions()).evaluate(tree, Scope({}))
