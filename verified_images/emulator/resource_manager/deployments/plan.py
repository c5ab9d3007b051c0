"""What a deployment is going to do: its resources, loops carried out, in the order that their dependencies allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verified_images.emulator.locations import normalize_location
from verified_images.emulator.resource_manager.deployments.environment import GROUPS
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.evaluation import (
    count_copies,
    evaluate_text,
    evaluate_value,
)
from verified_images.emulator.resource_manager.deployments.refusals import invalid_template, not_emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.resource_manager.deployments.language.scope import Scope
    from verified_images.emulator.resource_manager.deployments.templates import Template
    from verified_images.emulator.wire import Request

DEPLOYMENTS = "microsoft.resources/deployments"
_SCRIPTS = "microsoft.resources/deploymentscripts"
_SYNTAX = "Please see https://aka.ms/arm-syntax-resources for usage details."
_NOT_IN_BODY = {
    "apiversion",
    "comments",
    "condition",
    "copy",
    "dependson",
    "existing",
    "metadata",
    "name",
    "resourcegroup",
    "resources",
    "scope",
    "subscriptionid",
    "type",
}


@dataclass(slots=True)
class Planned:
    """One resource of a deployment. ``needs`` are the keys of those that come first.

    One that only exists already, or whose condition is not met, is known but not deployed.
    """

    id: str
    type: str
    name: str
    api_version: str
    symbol: str
    definition: dict[str, Any]
    scope: Scope
    deployed: bool = True
    needs: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """The id to compare by."""
        return self.id.lower()

    @property
    def location(self) -> str | None:
        """The location's name, None where there is none."""
        found = evaluate_value(self.definition.get("location"), self.scope)
        return normalize_location(found) if isinstance(found, str) else None

    def body(self, scope: Scope) -> dict[str, Any]:
        """Give the body of the resource's PUT."""
        content = {key: value for key, value in self.definition.items() if key.lower() not in _NOT_IN_BODY}
        if self.type.lower() == DEPLOYMENTS:
            return {key: value for key, value in content.items() if key != "properties"}
        body: dict[str, Any] = evaluate_value(content, scope)
        return body


@dataclass(slots=True)
class Plan:
    """All resources of a deployment, by key, in the template's order."""

    resources: dict[str, Planned]
    loops: dict[str, list[str]] = field(default_factory=dict)

    def deployed(self) -> list[Planned]:
        """Give those that are deployed."""
        return [planned for planned in self.resources.values() if planned.deployed]

    def find(self, text: str) -> list[Planned]:
        """Give the resources that a dependency or a reference means, none when the template has no such one.

        ``text`` is an id, a type with a name, a name that only one resource has, a symbolic name, or a loop's name.
        """
        wanted = text.strip("/").lower()
        if "/" + wanted in self.resources:
            return [self.resources["/" + wanted]]
        everything = self.resources.values()
        for names in (_symbols, _typed_names, _plain_names):
            found = [planned for planned in everything if wanted in names(planned)]
            if found:
                return found if len(found) == 1 else [one for one in found if one.deployed][:1] or found[:1]
        return [self.resources[key] for key in self.loops.get(wanted, ())]


def _symbols(planned: Planned) -> set[str]:
    return {planned.symbol.lower()} if planned.symbol else set()


def _typed_names(planned: Planned) -> set[str]:
    return {f"{planned.type}/{planned.name}".lower(), planned.key.rpartition("/providers/")[2]}


def _plain_names(planned: Planned) -> set[str]:
    return {planned.name.lower()}


def make_plan(request: Request, template: Template, scope: Scope, group: ResourceId) -> Plan:
    """Expand a template's resources.

    Raises:
        ArmError: 400 InvalidTemplate: a resource's type, name, condition or loop is wrong.
    """
    plan = Plan({})
    for symbol, definition in template.resources:
        loops = _loop_names(request, symbol, definition, scope)
        plan.loops.update({name: [] for name in loops if name not in plan.loops})
        for planned in _expand(request, definition, _Place(symbol, scope, group)):
            if planned.key in plan.resources:
                if not (planned.deployed and plan.resources[planned.key].deployed):
                    _keep_deployed(plan, planned)
                    continue
                raise _defined_twice(request, planned)
            plan.resources[planned.key] = planned
            for name in loops:
                plan.loops[name].append(planned.key)
    return plan


def _loop_names(request: Request, symbol: str, definition: dict[str, Any], scope: Scope) -> set[str]:
    """Give the names that stand for all turns of a resource's loop, of which there may be none."""
    loop = definition.get("copy")
    if not isinstance(loop, dict):
        return set()
    try:
        return {str(evaluate_text(str(loop.get("name")), scope)).lower(), symbol.lower()} - {""}
    except TemplateError as error:
        raise _invalid_resource(request, definition, error) from error


def _keep_deployed(plan: Plan, planned: Planned) -> None:
    if planned.deployed:
        plan.resources[planned.key] = planned


def _defined_twice(request: Request, planned: Planned) -> Exception:
    return invalid_template(
        request,
        f"The resource '{planned.type}/{planned.name}' at line '1' and column '1' is defined multiple times in a "
        f"template. {_SYNTAX}",
        name=planned.name,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a definition stands: in a resource group, and for a child below its parent."""

    symbol: str
    scope: Scope
    group: ResourceId
    parent_type: str = ""
    parent_name: str = ""
    deployed: bool = True


def _expand(request: Request, definition: dict[str, Any], place: _Place) -> Iterator[Planned]:
    loop = definition.get("copy")
    try:
        if not isinstance(loop, dict):
            yield from _expand_one(request, definition, place)
            return
        name = str(evaluate_value(loop.get("name"), place.scope))
        count = count_copies({**loop, "name": name}, place.scope)
        size = loop.get("batchSize") if str(loop.get("mode", "")).lower() == "serial" else None
        turns: list[list[Planned]] = []
        for index in range(count):
            turn = _Place(
                f"{place.symbol}[{index}]" if place.symbol else "",
                place.scope.in_loop(name, index, own=True),
                place.group,
                place.parent_type,
                place.parent_name,
                place.deployed,
            )
            turns.append(list(_expand_one(request, definition, turn)))
            if isinstance(size, int) and size > 0 and index >= size:
                batch = turns[(index // size - 1) * size : index // size * size]
                turns[-1][0].needs.update(planned.key for earlier in batch for planned in earlier)
        for planned_ones in turns:
            yield from planned_ones
    except TemplateError as error:
        raise _invalid_resource(request, definition, error) from error


def _invalid_resource(request: Request, definition: dict[str, Any], error: TemplateError) -> Exception:
    name = str(definition.get("name"))
    return invalid_template(
        request,
        f"The template resource '{name}' at line '1' and column '1' is not valid: {error}",
        name=name,
        path="properties.template.resources",
    )


def _expand_one(request: Request, definition: dict[str, Any], place: _Place) -> Iterator[Planned]:
    kind, name = (str(evaluate_value(definition[key], place.scope)) for key in ("type", "name"))
    if place.parent_type and not kind.lower().startswith(place.parent_type.lower() + "/"):
        kind, name = f"{place.parent_type}/{kind}", f"{place.parent_name}/{name}"
    if kind.lower() == _SCRIPTS:
        raise not_emulated(f"the deployment script '{name}'", "run the script on a machine, with run command")
    condition = evaluate_value(definition.get("condition", True), place.scope)
    if not isinstance(condition, bool):
        raise TemplateError(f"the condition is not a boolean. {_SYNTAX}")
    deployed = condition and place.deployed and definition.get("existing") is not True
    planned = Planned(
        _make_id(definition, kind, name, place),
        kind,
        name,
        str(evaluate_value(definition.get("apiVersion"), place.scope)),
        place.symbol,
        definition,
        place.scope,
        deployed,
    )
    yield planned
    for child in definition.get("resources") or ():
        below = _Place("", place.scope, place.group, kind, name, condition and place.deployed)
        yield from _expand(request, child, below)


def _make_id(definition: dict[str, Any], kind: str, name: str, place: _Place) -> str:
    provider, *types = kind.split("/")
    names = name.split("/")
    if len(types) != len(names) or not all((*types, *names)):
        raise TemplateError(
            f"The template resource '{name}' for type '{kind}' at line '1' and column '1' has incorrect segment "
            "lengths. A nested resource type must have identical number of segments as its resource name. A root "
            f"resource type must have segment length one greater than its resource name. {_SYNTAX}"
        )
    subscription = evaluate_value(definition.get("subscriptionId"), place.scope) or place.group.subscription
    group = evaluate_value(definition.get("resourceGroup"), place.scope) or place.group.group
    base = f"/subscriptions/{subscription}"
    if kind.lower() == GROUPS:
        return f"{base}/resourceGroups/{name}"
    if group:
        base += f"/resourceGroups/{group}"
    extended = evaluate_value(definition.get("scope"), place.scope)
    if isinstance(extended, str):
        relative = not extended.startswith("/")
        base = base + "/providers/" + _interleave(extended) if relative else extended.rstrip("/")
    return f"{base}/providers/{provider}" + "".join(f"/{one}/{other}" for one, other in zip(types, names, strict=True))


def _interleave(text: str) -> str:
    """Give the part of an id that ``type/name`` stands for, ``Microsoft.Network/loadBalancers/inner/lb/x`` included."""
    provider, *parts = text.split("/")
    half = len(parts) // 2
    return "/".join((provider, *(part for pair in zip(parts[:half], parts[half:], strict=False) for part in pair)))
