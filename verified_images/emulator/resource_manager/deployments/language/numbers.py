"""Functions on numbers, and comparisons. Source: "Numeric functions" and "Comparison functions for ARM templates"."""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

from typing import Any

from verified_images.emulator.resource_manager.deployments.language.registry import declare, refuse


def _add(one: int, other: int) -> int:
    return one + other


def _subtract(one: int, other: int) -> int:
    return one - other


def _multiply(one: int, other: int) -> int:
    return one * other


def _divide(one: int, other: int) -> int:
    if other == 0:
        raise refuse("div", "the divisor is zero")
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def _remainder(one: int, other: int) -> int:
    if other == 0:
        raise refuse("mod", "the divisor is zero")
    return one - other * _divide(one, other)


def _int(value: float | str) -> int:
    try:
        return int(value)
    except (ValueError, OverflowError) as error:
        raise refuse("int", f"the value '{value}' can't be converted to an integer") from error


def _float(value: float | str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise refuse("float", f"the value '{value}' can't be converted to a floating point number") from error


def _bool(value: str | int | bool) -> bool:  # noqa: FBT001 - the value to convert
    if isinstance(value, str):
        if value.lower() not in {"true", "false", "1", "0"}:
            raise refuse("bool", f"the value '{value}' can't be converted to a boolean")
        return value.lower() in {"true", "1"}
    return bool(value)


def _equals(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _compare(name: str, one: Any, other: Any) -> int:
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other)):
        return int(one > other) - int(one < other)
    raise refuse(name, "the arguments have to be two numbers or two strings")


def _greater(one: Any, other: Any) -> bool:
    return _compare("greater", one, other) > 0


def _greater_or_equals(one: Any, other: Any) -> bool:
    return _compare("greaterOrEquals", one, other) >= 0


def _less(one: Any, other: Any) -> bool:
    return _compare("less", one, other) < 0


def _less_or_equals(one: Any, other: Any) -> bool:
    return _compare("lessOrEquals", one, other) <= 0


def _not(value: bool) -> bool:  # noqa: FBT001 - the value to negate
    return not value


def _true() -> bool:
    return True


def _false() -> bool:
    return False


def _null() -> None:
    return None


FUNCTIONS = declare(
    {
        "add": _add,
        "sub": _subtract,
        "mul": _multiply,
        "div": _divide,
        "mod": _remainder,
        "int": _int,
        "float": _float,
        "bool": _bool,
        "equals": _equals,
        "greater": _greater,
        "greaterOrEquals": _greater_or_equals,
        "less": _less,
        "lessOrEquals": _less_or_equals,
        "not": _not,
        "true": _true,
        "false": _false,
        "null": _null,
    }
)
