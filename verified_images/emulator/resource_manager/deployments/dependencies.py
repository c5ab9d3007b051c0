"""Which resource of a deployment has to wait for which: as the template says, and as its references imply."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.evaluation import evaluate, evaluate_value
from verified_images.emulator.resource_manager.deployments.language.grammar import Call, is_expression, parse, walk
from verified_images.emulator.resource_manager.deployments.plan import DEPLOYMENTS
from verified_images.emulator.resource_manager.deployments.refusals import invalid_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.resource_manager.deployments.plan import Plan, Planned
    from verified_images.emulator.wire import Request


def connect(request: Request, plan: Plan) -> None:
    """Fill in what each resource needs.

    Raises:
        ArmError: 400 InvalidTemplate: a dependency is not in the template, or resources wait for one another.
    """
    for planned in plan.resources.values():
        try:
            planned.needs.update(_explicit(request, plan, planned))
            planned.needs.update(_implicit(plan, planned))
        except TemplateError as error:
            raise unprocessable(request, planned, error) from error
        planned.needs.discard(planned.key)
    try:
        TopologicalSorter({key: planned.needs for key, planned in plan.resources.items()}).prepare()
    except CycleError as error:
        circle = plan.resources[error.args[1][0]]
        raise invalid_template(
            request,
            f"Circular dependency detected on resource: '{circle.id}'. Please see "
            "https://aka.ms/arm-syntax-resources for usage details.",
            name=circle.name,
        ) from error


def unprocessable(request: Request, planned: Planned, error: TemplateError) -> Exception:
    """Make the 400 for a resource with an expression that cannot be evaluated."""
    return invalid_template(
        request,
        f"Unable to process template language expressions for resource '{planned.id}' at line '1' and column '1'. "
        f"'{error}'",
        name=planned.name,
        whole=True,
    )


def _explicit(request: Request, plan: Plan, planned: Planned) -> Iterator[str]:
    for item in evaluate_value(planned.definition.get("dependsOn") or [], planned.scope):
        found = plan.find(str(item))
        if not found and str(item).lower() not in plan.loops:
            raise invalid_template(
                request,
                f"The resource '{item}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage "
                "details.",
                name=planned.name,
            )
        yield from (one.key for one in found)


def _implicit(plan: Plan, planned: Planned) -> Iterator[str]:
    content = {key: value for key, value in planned.definition.items() if key not in {"dependsOn", "resources"}}
    if planned.type.lower() == DEPLOYMENTS:
        content["properties"] = {"parameters": (content.get("properties") or {}).get("parameters")}
    for text in texts_in(content):
        for node in walk(parse(text)) if is_expression(text) else ():
            if isinstance(node, Call) and node.arguments and _is_runtime(node.name):
                yield from _named(plan, planned, node)


def _is_runtime(name: str) -> bool:
    return name.lower() in {"reference", "references"} or name.lower().startswith("list")


def _named(plan: Plan, planned: Planned, node: Call) -> Iterator[str]:
    try:
        name = evaluate(node.arguments[0], planned.scope)
    except TemplateError:
        # Only inside a loop over properties is the name known, or it is itself read from a resource that is waited for.
        return
    for found in plan.find(str(name)):
        yield found.key


def texts_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Give every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)
