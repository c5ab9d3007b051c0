"""What a function of HCL is: its parameters, which arguments are converted to, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from verified_images.templates.packer.hcl.values import (
    HclError,
    bare,
    bare_throughout,
    mark,
    to_bool,
    to_list,
    to_map,
    to_number,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Function(NamedTuple):
    """A function.

    ``parameters`` has a letter for each: s(tring), n(umber), i(nteger), b(ool), l(ist), m(ap), or * for anything;
    those behind "?" may be left out, and one before "+" may come any number of times. A ``whole`` function looks at
    what its arguments hold, so that its result is sensitive if anything in them is; others move items about, which
    keep what they are.
    """

    parameters: str
    call: Callable[..., Any]
    whole: bool = True


def apply(name: str, function: Function, arguments: list[Any]) -> Any:  # noqa: ANN401 - values of HCL
    """Return what a function gives; HclError if it does not take the arguments."""
    strip = bare_throughout if function.whole else bare
    stripped = [strip(argument) for argument in arguments]
    kinds = _kinds(name, function.parameters, len(arguments))
    try:
        values = [_CONVERTERS[kind](value) for kind, (value, _) in zip(kinds, stripped, strict=True)]
        result = function.call(*values)
    except HclError as error:
        raise HclError(f"{name}: {error}") from None
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, UnicodeError) as error:
        raise HclError(f"{name} does not take these arguments") from error
    return mark(result, marked=any(marked for _, marked in stripped))


def _kinds(name: str, parameters: str, count: int) -> str:
    """Return the letter of each argument; HclError for too many or too few."""
    required, _, optional = parameters.partition("?")
    if required.endswith("+"):
        fixed, repeated = required[:-2], required[-2]
        if count >= len(fixed):
            return fixed + repeated * (count - len(fixed))
    elif len(required) <= count <= len(required) + len(optional):
        return (required + optional)[:count]
    most = "" if required.endswith("+") else f", at most {len(required) + len(optional)}"
    raise HclError(f"{name} takes at least {len(required.removesuffix('+'))} argument(s){most}; here are {count}")


def _integer(value: Any) -> int:  # noqa: ANN401 - values of HCL
    number = to_number(value)
    if not isinstance(number, int):
        raise HclError("a whole number is needed")
    return number


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "s": to_text,
    "n": to_number,
    "i": _integer,
    "b": to_bool,
    "l": to_list,
    "m": to_map,
    "*": lambda value: value,
}
