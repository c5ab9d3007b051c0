"""HCL's types of variables, and values made to fit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.hcl.syntax import trees_below
from verified_images.templates.packer.hcl.values import (
    HclError,
    bare,
    equal,
    kind_of,
    mark,
    to_bool,
    to_number,
    to_text,
)

if TYPE_CHECKING:
    from verified_images.templates.packer.hcl.syntax import Expression

_PLAIN = ("string", "number", "bool", "any")
_COLLECTIONS = ("list", "set", "map")


class Member(NamedTuple):
    """An attribute of an object: its type, and the expression of its default if it may be left out."""

    type: Type
    optional: bool = False
    default: Any = None


class Type(NamedTuple):
    """A type: ``item`` is that of a collection's items, ``members`` are an object's attributes or a tuple's items."""

    kind: str
    item: Type | None = None
    members: dict[str, Member] | None = None


ANY = Type("any")


def read_type(tree: Expression) -> Type:
    """Return the type that an expression such as ``list(string)`` stands for; HclError if it is none."""
    while tree.data == "expr_term":
        tree = trees_below(tree)[0]
    match tree.data:
        case "identifier" | "json_text":
            return _plain(str(tree.children[0]))
        case "string":
            return _plain("".join(str(part.children[0]) for part in trees_below(tree)))
        case "function_call":
            name, *rest = trees_below(tree)
            arguments = trees_below(rest[0]) if rest else []
            return _constructed(str(name.children[0]), arguments)
    raise HclError(_NOT_A_TYPE)


_NOT_A_TYPE = "a type is needed, such as string, number, bool, list(string) or object({name = string})"


def _plain(name: str) -> Type:
    if name in _PLAIN:
        return Type(name)
    if name in _COLLECTIONS:  # without the type of its items, as older templates have it
        return Type(name, ANY)
    raise HclError(f"there is no type '{name}'{did_you_mean(name, (*_PLAIN, *_COLLECTIONS, 'object', 'tuple'))}")


def _constructed(name: str, arguments: list[Expression]) -> Type:
    if len(arguments) != 1:
        raise HclError(_NOT_A_TYPE)
    (inner,) = arguments
    if name in _COLLECTIONS:
        return Type(name, read_type(inner))
    inner = trees_below(inner)[0] if inner.data == "expr_term" else inner
    if name == "tuple" and inner.data == "tuple":
        items = [Member(read_type(item)) for item in trees_below(inner)]
        return Type("tuple", members={str(place): member for place, member in enumerate(items)})
    if name == "object" and inner.data == "object":
        return Type("object", members=dict(_member(element) for element in trees_below(inner)))
    raise HclError(_NOT_A_TYPE)


def _member(element: Expression) -> tuple[str, Member]:
    key, value = trees_below(element)
    while isinstance(key, type(element)) and trees_below(key):
        key = trees_below(key)[0]
    name = str(key.children[0])
    call = trees_below(value)[0] if value.data == "expr_term" else value
    if call.data == "function_call" and str(trees_below(call)[0].children[0]) == "optional":
        arguments = trees_below(trees_below(call)[1])
        default = arguments[1] if len(arguments) > 1 else None
        return name, Member(read_type(arguments[0]), optional=True, default=default)
    return name, Member(read_type(value))


def convert(value: Any, wanted: Type) -> Any:  # noqa: ANN401 - values of HCL
    """Return the value as one of the wanted type; HclError if it cannot be one."""
    inner, marked = bare(value)
    if inner is None or wanted.kind == "any":
        return value
    return mark(_CONVERTERS[wanted.kind](inner, wanted), marked=marked)


def _list(value: Any, wanted: Type) -> list[Any]:  # noqa: ANN401 - values of HCL
    if not isinstance(value, list):
        raise HclError(f"a list is needed, not {kind_of(value)}")
    return [convert(item, wanted.item or ANY) for item in value]


def _set(value: Any, wanted: Type) -> list[Any]:  # noqa: ANN401 - values of HCL
    found: list[Any] = []
    for item in _list(value, wanted):
        if not any(equal(item, other) for other in found):
            found.append(item)
    return sorted(found, key=lambda item: str(bare(item)[0]))


def _map(value: Any, wanted: Type) -> dict[str, Any]:  # noqa: ANN401 - values of HCL
    if not isinstance(value, dict):
        raise HclError(f"a map is needed, not {kind_of(value)}")
    return {key: convert(item, wanted.item or ANY) for key, item in value.items()}


def _object(value: Any, wanted: Type) -> dict[str, Any]:  # noqa: ANN401 - values of HCL
    if not isinstance(value, dict):
        raise HclError(f"a map is needed, not {kind_of(value)}")
    found = {}
    for name, member in (wanted.members or {}).items():
        if name in value:
            found[name] = convert(value[name], member.type)
        elif member.optional:
            found[name] = None if member.default is None else convert(_constant(member.default), member.type)
        else:
            raise HclError(f"the attribute '{name}' is missing")
    return found


def _constant(tree: Expression) -> Any:  # noqa: ANN401 - values of HCL
    """Return the value of an expression that uses nothing."""
    from verified_images.templates.packer.hcl.evaluator import constant  # noqa: PLC0415 - which needs this module

    return constant(tree)


def _tuple(value: Any, wanted: Type) -> list[Any]:  # noqa: ANN401 - values of HCL
    members = list((wanted.members or {}).values())
    if not isinstance(value, list) or len(value) != len(members):
        raise HclError(f"a list of {len(members)} item(s) is needed")
    return [convert(item, member.type) for item, member in zip(value, members, strict=True)]


_CONVERTERS = {
    "string": lambda value, _: to_text(value),
    "number": lambda value, _: to_number(value),
    "bool": lambda value, _: to_bool(value),
    "list": _list,
    "set": _set,
    "map": _map,
    "object": _object,
    "tuple": _tuple,
}
