"""From the body of a call to a deployment that can be carried out, or the refusal of one that cannot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, group_not_found
from verified_images.emulator.authorization.permissions import is_permitted
from verified_images.emulator.locations import LOCATIONS, normalize_location
from verified_images.emulator.resource_manager.deployments.dependencies import connect, unprocessable
from verified_images.emulator.resource_manager.deployments.environment import GROUPS, Environment, default_functions
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.scope import NotYetKnownError, Scope, Values
from verified_images.emulator.resource_manager.deployments.parameters import bind_parameters
from verified_images.emulator.resource_manager.deployments.plan import DEPLOYMENTS, Plan, make_plan
from verified_images.emulator.resource_manager.deployments.refusals import (
    invalid_content,
    not_authorized,
    not_emulated,
)
from verified_images.emulator.resource_manager.deployments.templates import Template, read_template

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.resource_manager.deployments.plan import Planned
    from verified_images.emulator.wire import Request

_NAME = re.compile(r"[-\w.()]{1,64}")
_MEMBERS = {
    "debugsetting",
    "expressionevaluationoptions",
    "mode",
    "onerrordeployment",
    "parameters",
    "parameterslink",
    "template",
    "templatelink",
    "validationlevel",
    "whatifsettings",
}
_MODES = {"incremental": "Incremental", "complete": "Complete"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A deployment that can be carried out."""

    deployment: ResourceId
    location: str
    mode: str
    tags: dict[str, str]
    template: Template
    scope: Scope
    plan: Plan


def prepare(cloud: Cloud, request: Request, deployment: ResourceId) -> Prepared:
    """Check the body of a call and plan the deployment that it asks for.

    Raises:
        ArmError: 400: something in the body, the template or the parameters is wrong.
    """
    if not _NAME.fullmatch(deployment.name):
        raise ArmError(
            400,
            "InvalidDeploymentName",
            f"The provided deployment name '{deployment.name}' has invalid characters or more than 64 of them: only "
            "alphanumeric characters, '-', '_', '.', '(' and ')' are allowed.",
        )
    body = request.json()
    properties = _read_properties(body)
    location = "" if deployment.group else _read_location(body, deployment, properties)
    template = read_template(request, properties)
    functions = Environment(cloud, request, deployment, properties).functions()
    parameters = bind_parameters(request, template, properties.get("parameters") or {}, functions | default_functions())
    scope = Scope(Values(parameters, template.variables, template.members), functions)
    plan = make_plan(request, template, scope, deployment)
    connect(request, plan)
    prepared = Prepared(
        deployment, location, _MODES[properties["mode"].lower()], body.get("tags") or {}, template, scope, plan
    )
    for planned in plan.deployed():
        _check(cloud, request, planned)
        _check_group(cloud, plan, planned)
    if refused := [planned for planned in plan.deployed() if not _is_permitted(cloud, request, planned)]:
        raise not_authorized(request, [(planned.type, planned.name, planned.id) for planned in refused])
    return prepared


def _read_location(body: dict[str, Any], deployment: ResourceId, properties: dict[str, Any]) -> str:
    """Give where a subscription keeps what it knows of a deployment. Source: answers quoted in public issues."""
    location = body.get("location")
    if not isinstance(location, str) or not location:
        raise ArmError(
            400,
            "InvalidDeployment",
            f"The 'location' property must be specified for '{deployment.name}'. Please see "
            "https://aka.ms/arm-deployment-subscription for usage details.",
        )
    if properties["mode"].lower() == "complete":
        raise not_emulated("the mode Complete for a subscription", "deploy with the mode Incremental")
    if normalize_location(location) not in LOCATIONS:
        raise ArmError(
            400,
            "LocationNotAvailableForDeployment",
            f"The provided location '{location}' is not available for deployment. List of available regions is "
            f"'{','.join(LOCATIONS)}'.",
        )
    return normalize_location(location)


def _read_properties(body: dict[str, Any]) -> dict[str, Any]:
    found = next((value for key, value in body.items() if key.lower() == "properties"), None)
    if not isinstance(found, dict):
        raise invalid_content("Required property 'properties' not found in JSON. Path ''.")
    for name in found:
        if name.lower() not in _MEMBERS:
            raise invalid_content(
                f"Could not find member '{name}' on object of type 'DeploymentContent'. Path 'properties.{name}'."
            )
    if found.get("onErrorDeployment") is not None:
        raise not_emulated("going back to another deployment on error", "leave 'onErrorDeployment' out")
    if found.get("parametersLink") is not None:
        raise not_emulated("parameters that are linked to", "give them in 'properties.parameters'")
    mode = found.get("mode")
    if mode is None:
        raise invalid_content("Required property 'mode' not found in JSON. Path 'properties'.")
    if not isinstance(mode, str) or mode.lower() not in _MODES:
        raise invalid_content(
            f"Error converting value \"{mode}\" to type 'Azure.Deployments.Core.Entities.DeploymentMode'. Path "
            "'properties.mode'."
        )
    parameters = found.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise invalid_content("An object is expected. Path 'properties.parameters'.")
    return found


def _check(cloud: Cloud, request: Request, planned: Planned) -> None:
    """Evaluate what can be evaluated before the deployment runs, and check type and location."""
    try:
        planned.body(planned.scope)
        location = planned.location
    except NotYetKnownError:
        return
    except TemplateError as error:
        raise unprocessable(request, planned, error) from error
    if not _is_writable(cloud, planned):
        _check_type(request, planned)
    if location is not None and location not in LOCATIONS and planned.type.lower() != DEPLOYMENTS:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{location}' is not available for resource type '{planned.type}'. List of "
            f"available regions for the resource type is '{','.join(LOCATIONS)}'.",
        )


def _check_group(cloud: Cloud, plan: Plan, planned: Planned) -> None:
    """Refuse a nested deployment into a group that neither exists nor is made by the template."""
    if planned.type.lower() != DEPLOYMENTS:
        return
    group = planned.id.partition("/providers/")[0]
    name = group.partition("/resourceGroups/")[2]
    if name and not cloud.store.find(group) and group.lower() not in plan.resources:
        raise group_not_found(name)


def _is_permitted(cloud: Cloud, request: Request, planned: Planned) -> bool:
    kind = "Microsoft.Resources/subscriptions/resourceGroups" if planned.type.lower() == GROUPS else planned.type
    return is_permitted(cloud, request.caller, f"{kind}/write", planned.id)


def _is_writable(cloud: Cloud, planned: Planned) -> bool:
    try:
        cloud.routes.match("PUT", planned.id)
    except ArmError:
        return False
    return True


def _check_type(request: Request, planned: Planned) -> None:
    """Refuse a type that Azure does not have; one that Azure alone has fails when it is deployed."""
    namespace, _, kind = planned.type.partition("/")
    subscription = planned.id.split("/")[2]
    provider = request.call("GET", f"/subscriptions/{subscription}/providers/{namespace}?api-version=2022-09-01").body
    # Not all providers list what is below a type: the network provider has neither subnets nor security rules.
    known = {found["resourceType"].lower() for found in provider["resourceTypes"]}
    if kind.lower() not in known and kind.lower().partition("/")[0] not in known:
        raise ArmError(
            400,
            "InvalidResourceType",
            f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version "
            f"'{planned.api_version}'.",
        )
