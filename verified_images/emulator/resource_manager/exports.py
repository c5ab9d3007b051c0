"""The export of a group's resources as a template. Source: recorded exchanges; Azure OpenAPI, exportTemplate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.lifecycle import check_group_exists
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_TOP_LEVEL = ("location", "tags", "sku", "zones", "plan", "identity", "kind")
_READ_ONLY = {
    "provisioningState",
    "resourceGuid",
    "vmId",
    "timeCreated",
    "uniqueId",
    "instanceView",
    "etag",
    "id",
    "type",
}


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("POST", GROUP + "/exportTemplate", _export)


def _export(cloud: Cloud, request: Request) -> Answer:
    check_group_exists(cloud, request.id)
    body = request.json()
    wanted = body.get("resources")
    if not isinstance(wanted, list) or not wanted:
        raise ArmError(400, "InvalidExportTemplateRequest", "The export needs 'resources': ids, or '*' for all.")
    chosen = None if "*" in wanted else {str(name).strip("/").lower() for name in wanted}
    keep_names = "skipresourcenameparameterization" in str(body.get("options", "")).lower()
    parameters: dict[str, Any] = {}
    resources = [
        _describe(cloud, resource, parameters, keep_names=keep_names)
        for resource in cloud.store.select(under=request.id.group_id)
        if cloud.kind_of(resource.id.type) and (chosen is None or resource.id.key.strip("/") in chosen)
    ]
    template = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": parameters,
        "variables": {},
        "resources": resources,
    }
    return Answer(200, {"template": template})


def _describe(cloud: Cloud, resource: Resource, parameters: dict[str, Any], *, keep_names: bool) -> dict[str, Any]:
    kind = cloud.kind_of(resource.id.type)
    versions = kind.api_versions if kind else ()
    described = {
        "type": resource.id.type,
        "apiVersion": max(versions, default="2024-07-01"),
        "name": resource.id.path if keep_names else _parametrize(resource, parameters),
    }
    described |= {key: resource.body[key] for key in _TOP_LEVEL if resource.body.get(key)}
    return described | {"properties": _writable(resource.properties)}


def _parametrize(resource: Resource, parameters: dict[str, Any]) -> str:
    """Give the expression of a resource's name, and a parameter to each of its parts."""
    parts = []
    for depth in range(1, len(resource.id.names) + 1):
        kinds, name = resource.id.types[:depth], resource.id.names[depth - 1]
        parameter = re.sub(r"\W", "_", f"{'_'.join(kinds)}_{name}_name")
        parameters[parameter] = {"defaultValue": name, "type": "String"}
        parts.append(f"parameters('{parameter}')")
    joined = ", '/', ".join(parts)
    return f"[{joined}]" if len(parts) == 1 else f"[concat({joined})]"


def _writable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        reference = {"id": value["id"]} if set(value) == {"id"} else {}
        return reference | {key: _writable(item) for key, item in value.items() if key not in _READ_ONLY}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return value
