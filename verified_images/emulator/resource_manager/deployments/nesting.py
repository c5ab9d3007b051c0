"""Deployments inside deployments: the body of the inner one's PUT.

Source: Azure Resource Manager, "Use linked and nested templates when deploying Azure resources".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language.evaluation import evaluate, evaluate_value
from verified_images.emulator.resource_manager.deployments.language.grammar import (
    Access,
    Call,
    Literal,
    is_expression,
    parse,
    write,
)
from verified_images.emulator.resource_manager.deployments.language.scope import NotYetKnownError

if TYPE_CHECKING:
    from verified_images.emulator.resource_manager.deployments.language.grammar import Node
    from verified_images.emulator.resource_manager.deployments.language.scope import Scope
    from verified_images.emulator.resource_manager.deployments.plan import Planned

_OF_THE_OUTER = {"parameters", "variables", "copyindex"}


def nested_properties(planned: Planned, outer: Scope, running: Scope) -> dict[str, Any]:
    """Give the properties of a nested deployment.

    Its template's expressions belong to the template itself (scope ``inner``) or to the one around it (``outer``,
    the default): then what the outer one knows is put in their place. ``running`` has the functions that read
    resources.
    """
    properties = dict(planned.definition.get("properties") or {})
    template = properties.pop("template", None)
    options = properties.pop("expressionEvaluationOptions", None) or {}
    found: dict[str, Any] = evaluate_value(properties, running)
    if template is not None:
        inner = str(options.get("scope", "")).lower() == "inner"
        found["template"] = template if inner else _substitute(template, outer)
    return found


def _substitute(value: Any, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _substitute(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, scope) for item in value]
    if not isinstance(value, str) or not is_expression(value):
        return value
    node = parse(value)
    try:
        return _escape(evaluate(node, scope))
    except NotYetKnownError:
        return f"[{write(_inline(node, scope))}]"


def _escape(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[") and value.endswith("]") else value
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    return value


def _inline(node: Node, scope: Scope) -> Node:
    """Put values in the place of what only the outer template knows."""
    if isinstance(node, Access):
        return Access(_inline(node.of, scope), _inline(node.key, scope), node.lenient)
    if not isinstance(node, Call):
        return node
    if node.name.lower() in _OF_THE_OUTER:
        value = evaluate(node, scope)
        return Literal(value) if isinstance(value, str) else Call("json", (Literal(json.dumps(value)),))
    return Call(node.name, tuple(_inline(argument, scope) for argument in node.arguments))
