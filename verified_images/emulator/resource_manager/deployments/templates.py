"""A template as it is written: its parts, and the checks that need no evaluation.

Source: Azure Resource Manager, "Understand the structure and syntax of ARM templates".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.refusals import (
    invalid_content,
    invalid_template,
    not_emulated,
)

if TYPE_CHECKING:
    from verified_images.emulator.wire import Request

_SCHEMA = re.compile(
    r"https?://schema\.management\.azure\.com/schemas/([\d-]+(?:preview)?)/(\w+)\.json#?", re.IGNORECASE
)
_KINDS = ("deploymenttemplate", "deploymentparameters")
"""What a schema may be named; Azure takes that of parameters for a template's. Source: recorded answers."""
_VERSIONS = ("2014-04-01-preview", "2015-01-01", "2018-05-01", "2019-04-01", "2019-08-01")
_MEMBERS = {
    "$schema",
    "apiprofile",
    "asserts",
    "contentversion",
    "definitions",
    "extensions",
    "functions",
    "imports",
    "languageversion",
    "metadata",
    "outputs",
    "parameters",
    "resources",
    "variables",
}


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of a template. A resource's symbol is empty unless the language's version is 2.0."""

    content: dict[str, Any]
    parameters: dict[str, dict[str, Any]]
    variables: dict[str, Any]
    members: dict[str, dict[str, Any]]
    resources: list[tuple[str, dict[str, Any]]]
    outputs: dict[str, dict[str, Any]]

    def has(self, member: str) -> bool:
        """Tell whether the template has a member, were it empty; ``member`` is in lower case."""
        return any(key.lower() == member for key in self.content)


def read_template(request: Request, properties: dict[str, Any]) -> Template:
    """Read the template of a deployment's properties.

    Raises:
        ArmError: 400: it is not there, is only linked to, or has not the shape of a template.
    """
    if properties.get("templateLink") is not None:
        raise not_emulated("templates that are linked to", "give the template itself, in 'properties.template'")
    content = properties.get("template")
    if not isinstance(content, dict):
        raise invalid_template(
            request, "the template is not specified: either 'template' or 'templateLink' is required"
        )
    folded = {key.lower(): value for key, value in content.items()}
    for key in content:
        if key.lower() not in _MEMBERS:
            raise invalid_content(
                f"Could not find member '{key}' on object of type 'Template'. Path 'properties.template.{key}'."
            )
    for key in ("$schema", "contentVersion", "resources"):
        if folded.get(key.lower()) is None:
            raise invalid_content(f"Required property '{key}' not found in JSON. Path 'properties.template'.")
    _check_schema(request, folded["$schema"])
    return Template(
        content,
        _objects(folded, "parameters"),
        _object(folded, "variables"),
        _read_members(folded.get("functions") or []),
        _read_resources(folded["resources"]),
        _objects(folded, "outputs"),
    )


def _check_schema(request: Request, schema: object) -> None:
    match = _SCHEMA.fullmatch(str(schema))
    if not match or match[1] not in _VERSIONS or not match[2].lower().endswith(_KINDS):
        raise invalid_template(
            request,
            f"The template schema '{schema}' is not supported. Supported versions are '{','.join(_VERSIONS)}'. Please "
            "see https://aka.ms/arm-template for usage details.",
            name="$schema",
        )


def _object(folded: dict[str, Any], name: str) -> dict[str, Any]:
    value = folded.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid_content(f"An object is expected. Path 'properties.template.{name}'.")
    return value or {}


def _objects(folded: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = _object(folded, name)
    for key, value in found.items():
        if not isinstance(value, dict):
            raise invalid_content(f"An object is expected. Path 'properties.template.{name}.{key}'.")
    return found


def _read_members(namespaces: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - whatever stands there
    """Give the functions that a template defines, as ``namespace.name`` in lower case."""
    found = {}
    try:
        for namespace in namespaces if isinstance(namespaces, list) else [namespaces]:
            for name, member in namespace["members"].items():
                found[f"{namespace['namespace']}.{name}".lower()] = member
                _ = member["output"]["value"]
    except (KeyError, TypeError, AttributeError) as error:
        raise invalid_content(
            "A function needs a namespace, members and an output value. Path 'properties.template.functions'."
        ) from error
    return found


def _read_resources(resources: object) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(resources, dict):
        pairs = list(resources.items())
    elif isinstance(resources, list):
        pairs = [("", resource) for resource in resources]
    else:
        raise invalid_content("An array or an object is expected. Path 'properties.template.resources'.")
    for index, (symbol, resource) in enumerate(pairs):
        path = f"properties.template.resources[{symbol or index}]"
        if not isinstance(resource, dict):
            raise invalid_content(f"An object is expected. Path '{path}'.")
        for name in ("type", "name", "apiVersion"):
            if resource.get(name) is None:
                raise invalid_content(f"Required property '{name}' not found in JSON. Path '{path}'.")
    return pairs
