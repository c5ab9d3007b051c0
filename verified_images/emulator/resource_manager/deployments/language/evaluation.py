"""Expressions, from their tree to a value. Arguments are evaluated only when they are needed."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language import (
    dates,
    encodings,
    numbers,
    sequences,
    texts,
)
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError, describe_type
from verified_images.emulator.resource_manager.deployments.language.grammar import (
    Access,
    Call,
    Literal,
    is_expression,
    parse,
    plain_text,
)
from verified_images.emulator.resource_manager.deployments.language.registry import refuse
from verified_images.emulator.resource_manager.deployments.language.scope import NotYetKnownError, Values
from verified_images.emulator.resource_manager.deployments.language.sequences import find_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.resource_manager.deployments.language.grammar import Node
    from verified_images.emulator.resource_manager.deployments.language.scope import Scope

    Form = Callable[[tuple[Node, ...], Scope], Any]

_PLAIN = {
    **texts.FUNCTIONS,
    **numbers.FUNCTIONS,
    **sequences.FUNCTIONS,
    **encodings.FUNCTIONS,
    **dates.FUNCTIONS,
}
_MOST_COPIES = 800


def evaluate_value(value: Any, scope: Scope) -> Any:
    """Evaluate every expression in a JSON value, and carry out its ``copy`` loops.

    Raises:
        TemplateError: an expression is wrong.
    """
    if isinstance(value, str):
        return evaluate_text(value, scope)
    if isinstance(value, list):
        return [evaluate_value(item, scope) for item in value]
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            if key.lower() == "copy" and is_property_copy(item):
                for loop in item:
                    found[loop["name"]] = repeat(loop, scope)
            else:
                found[str(evaluate_text(key, scope))] = evaluate_value(item, scope)
        return found
    return value


def evaluate_text(text: str, scope: Scope) -> Any:
    """Evaluate a string of a template."""
    if not is_expression(text):
        return plain_text(text)
    try:
        return evaluate(parse(text), scope)
    except NotYetKnownError:
        if scope.lenient:
            return text
        raise


def is_property_copy(value: object) -> bool:
    """Tell whether a value is a list of loops over properties."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(loop, dict) and {"name", "count", "input"} <= set(loop) for loop in value)
    )


def repeat(loop: dict[str, Any], scope: Scope) -> list[Any]:
    """Carry out a loop over properties, variables or outputs: the ``input`` once for each turn."""
    count = count_copies(loop, scope)
    return [evaluate_value(loop["input"], scope.in_loop(loop["name"], index)) for index in range(count)]


def count_copies(loop: dict[str, Any], scope: Scope) -> int:
    """Give the number of turns of a loop."""
    count = evaluate_value(loop.get("count"), scope)
    if isinstance(count, bool) or not isinstance(count, int):
        raise TemplateError(
            f"The copy count of '{loop.get('name')}' is not valid: expected an integer, and it is of type "
            f"'{describe_type(count)}'. Please see https://aka.ms/arm-copy for usage details."
        )
    if not 0 <= count <= _MOST_COPIES:
        raise TemplateError(
            f"The copy count of '{loop.get('name')}' is '{count}', which has to be between 0 and {_MOST_COPIES}. "
            "Please see https://aka.ms/arm-copy for usage details."
        )
    return count


def evaluate(node: Node, scope: Scope) -> Any:
    """Evaluate a tree."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Access):
        return _access(evaluate(node.of, scope), evaluate(node.key, scope), lenient=node.lenient)
    name = node.name.lower()
    if name in _FORMS:
        return _FORMS[name](node.arguments, scope)
    if "." in name:
        return _call_member(node, scope)
    arguments = [evaluate(argument, scope) for argument in node.arguments]
    if name in _PLAIN:
        return _PLAIN[name](arguments)
    function = scope.environment.get(name) or (scope.environment.get("list*") if name.startswith("list") else None)
    if function is None:
        raise TemplateError(
            f"The template function '{node.name}' is not valid. Please see https://aka.ms/arm-functions for usage "
            "details."
        )
    return function([node.name, *arguments] if name not in scope.environment else arguments)


def _access(value: Any, key: Any, *, lenient: bool) -> Any:
    if isinstance(value, dict) and isinstance(key, str):
        known = find_key(value, key)
        if known is not None:
            return value[known]
        if lenient:
            return None
        raise TemplateError(
            f"The language expression property '{key}' doesn't exist, available properties are '{', '.join(value)}'. "
            "Please see https://aka.ms/arm-syntax-expressions for usage details."
        )
    if isinstance(value, list) and isinstance(key, int):
        if 0 <= key < len(value):
            return value[key]
        if lenient:
            return None
        raise TemplateError(
            f"The language expression property array index '{key}' is out of bounds. Please see "
            "https://aka.ms/arm-syntax-expressions for usage details."
        )
    if value is None and lenient:
        return None
    raise TemplateError(
        f"The language expression property '{key}' can't be evaluated, property name must be a string, and its target "
        f"is of type '{describe_type(value)}'. Please see https://aka.ms/arm-syntax-expressions for usage details."
    )


def _call_member(node: Call, scope: Scope) -> Any:
    member = scope.values.members.get(node.name.lower())
    if member is None:
        raise TemplateError(f"The template function '{node.name}' is not valid.")
    names = [parameter["name"] for parameter in member.get("parameters") or ()]
    if len(names) != len(node.arguments):
        raise refuse(node.name, f"function requires {len(names)} argument(s) while {len(node.arguments)} were provided")
    given = dict(zip(names, (evaluate(argument, scope) for argument in node.arguments), strict=True))
    inner = type(scope)(Values(given, None, scope.values.members), scope.environment)
    return evaluate_value(member["output"]["value"], inner)


def _one_of(name: str, arguments: tuple[Node, ...], count: int) -> None:
    if len(arguments) != count:
        raise refuse(name, f"function requires {count} argument(s) while {len(arguments)} were provided")


def _boolean(name: str, node: Node, scope: Scope) -> bool:
    value = evaluate(node, scope)
    if not isinstance(value, bool):
        raise refuse(name, f"a parameter of type 'Boolean' is expected, and it is of type '{describe_type(value)}'")
    return value


def _if(arguments: tuple[Node, ...], scope: Scope) -> Any:
    _one_of("if", arguments, 3)
    return evaluate(arguments[1] if _boolean("if", arguments[0], scope) else arguments[2], scope)


def _and(arguments: tuple[Node, ...], scope: Scope) -> bool:
    return all(_boolean("and", argument, scope) for argument in arguments)


def _or(arguments: tuple[Node, ...], scope: Scope) -> bool:
    return any(_boolean("or", argument, scope) for argument in arguments)


def _coalesce(arguments: tuple[Node, ...], scope: Scope) -> Any:
    for argument in arguments:
        if (value := evaluate(argument, scope)) is not None:
            return value
    return None


def _parameters(arguments: tuple[Node, ...], scope: Scope) -> Any:
    _one_of("parameters", arguments, 1)
    return scope.values.parameter(str(evaluate(arguments[0], scope)))


def _variables(arguments: tuple[Node, ...], scope: Scope) -> Any:
    _one_of("variables", arguments, 1)
    outside = type(scope)(scope.values, scope.environment)
    return scope.values.variable(str(evaluate(arguments[0], scope)), lambda raw: evaluate_value(raw, outside))


def _copy_index(arguments: tuple[Node, ...], scope: Scope) -> int:
    return scope.copy_index([evaluate(argument, scope) for argument in arguments])


def _lambda_variables(arguments: tuple[Node, ...], scope: Scope) -> Any:
    _one_of("lambdaVariables", arguments, 1)
    name = str(evaluate(arguments[0], scope))
    if name.lower() not in scope.bound:
        raise refuse("lambdaVariables", f"there is no lambda variable '{name}' here")
    return scope.bound[name.lower()]


def _lambda(name: str, node: Node, scope: Scope) -> Callable[..., Any]:
    """Make a Python function of a lambda; it takes as many of the values as the lambda has names."""
    if not isinstance(node, Call) or node.name.lower() != "lambda" or not node.arguments:
        raise refuse(name, "a lambda function is expected")
    names = [str(evaluate(argument, scope)) for argument in node.arguments[:-1]]

    def call(*values: Any) -> Any:
        return evaluate(node.arguments[-1], scope.binding(dict(zip(names, values, strict=False))))

    return call


def _over(name: str, arguments: tuple[Node, ...], scope: Scope) -> tuple[list[Any], Callable[..., Any]]:
    _one_of(name, arguments, 2)
    items = evaluate(arguments[0], scope)
    if not isinstance(items, list):
        raise refuse(name, f"an array is expected, and it is of type '{describe_type(items)}'")
    return items, _lambda(name, arguments[1], scope)


def _map(arguments: tuple[Node, ...], scope: Scope) -> list[Any]:
    items, change = _over("map", arguments, scope)
    return [change(item, index) for index, item in enumerate(items)]


def _filter(arguments: tuple[Node, ...], scope: Scope) -> list[Any]:
    items, wanted = _over("filter", arguments, scope)
    return [item for index, item in enumerate(items) if wanted(item, index) is True]


def _sort(arguments: tuple[Node, ...], scope: Scope) -> list[Any]:
    items, before = _over("sort", arguments, scope)
    return sorted(
        items, key=cmp_to_key(lambda one, other: -1 if before(one, other) is True else int(before(other, one)))
    )


def _reduce(arguments: tuple[Node, ...], scope: Scope) -> Any:
    _one_of("reduce", arguments, 3)
    items, combine = _over("reduce", (arguments[0], arguments[2]), scope)
    total = evaluate(arguments[1], scope)
    for index, item in enumerate(items):
        total = combine(total, item, index)
    return total


def _to_object(arguments: tuple[Node, ...], scope: Scope) -> dict[str, Any]:
    items, key = _over("toObject", arguments[:2], scope)
    value = _lambda("toObject", arguments[2], scope) if arguments[2:] else _same
    return {str(key(item)): value(item) for item in items}


def _same(item: Any) -> Any:
    return item


def _group_by(arguments: tuple[Node, ...], scope: Scope) -> dict[str, Any]:
    items, key = _over("groupBy", arguments, scope)
    groups: dict[str, Any] = {}
    for item in items:
        groups.setdefault(str(key(item)), []).append(item)
    return groups


def _map_values(arguments: tuple[Node, ...], scope: Scope) -> dict[str, Any]:
    _one_of("mapValues", arguments, 2)
    value, change = evaluate(arguments[0], scope), _lambda("mapValues", arguments[1], scope)
    if not isinstance(value, dict):
        raise refuse("mapValues", f"an object is expected, and it is of type '{describe_type(value)}'")
    return {key: change(item) for key, item in value.items()}


_FORMS: dict[str, Form] = {
    "if": _if,
    "and": _and,
    "or": _or,
    "coalesce": _coalesce,
    "parameters": _parameters,
    "variables": _variables,
    "copyindex": _copy_index,
    "lambdavariables": _lambda_variables,
    "map": _map,
    "filter": _filter,
    "sort": _sort,
    "reduce": _reduce,
    "toobject": _to_object,
    "groupby": _group_by,
    "mapvalues": _map_values,
}
