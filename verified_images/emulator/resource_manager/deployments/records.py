"""What is kept of a deployment: its properties as answers show them, and the operations on its resources.

The record is the hidden part of the stored resource: the ids in it must not count as uses of what they name.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from verified_images.emulator.resource_manager.deployments.parameters import is_secret, spell_type
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.resource_manager.deployments.plan import Plan, Planned
    from verified_images.emulator.resource_manager.deployments.preparation import Prepared

TYPE = "Microsoft.Resources/deployments"
ENDED = ("Succeeded", "Failed", "Canceled")
_PROVIDERS_REQUEST_UNTIL = "2022-09-01"
_MOST_TICKS = 2**63 - 1
_EPOCH_TICKS = 621_355_968_000_000_000


def new_record(prepared: Prepared, correlation: str) -> Resource:
    """Make the record of a deployment that has been accepted."""
    content = prepared.template.content
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    properties = {
        "templateHash": str(int.from_bytes(digest[:8], "big")),
        **({"parameters": show_parameters(prepared)} if prepared.template.has("parameters") else {}),
        "mode": prepared.mode,
        "provisioningState": "Accepted",
        "timestamp": stamp(),
        "duration": "PT0.0005551S",
        "correlationId": correlation,
        "providers": _providers(prepared.plan.deployed()),
        "dependencies": _dependencies(prepared.plan),
    }
    deployment = prepared.deployment
    body = {
        "id": str(deployment),
        "name": deployment.name,
        "type": TYPE,
        **({"location": prepared.location} if prepared.location else {}),
        "properties": {"provisioningState": "Accepted"},
    }
    if prepared.tags:
        body["tags"] = prepared.tags
    ticks = _EPOCH_TICKS + time.time_ns() // 100
    hidden = {
        "properties": properties,
        "operations": [],
        "number": f"{_MOST_TICKS - ticks:020d}",
        "template": content,
        "started": time.time(),
    }
    return Resource(deployment, body, hidden)


def show(record: Resource) -> dict[str, Any]:
    """Give a deployment as answers show it."""
    properties = {**record.hidden["properties"], "provisioningState": record.state}
    return {**record.body, "properties": properties}


def show_parameters(prepared: Prepared) -> dict[str, Any]:
    """Give the parameters as answers show them: no secret's value."""
    shown = {}
    for name, value in prepared.scope.values.parameters.items():
        kind = prepared.template.parameters[name].get("type")
        shown[name] = {"type": spell_type(kind)} | ({} if is_secret(kind) else {"value": value})
    return shown


def conclude(cloud: Cloud, deployment: ResourceId, state: str, more: dict[str, Any]) -> None:
    """Write the end of a deployment."""
    with cloud.store.changing(deployment) as record:
        if record:
            record.properties["provisioningState"] = state
            seconds = time.time() - record.hidden["started"]
            record.hidden["properties"].update(more, timestamp=stamp(), duration=spell_duration(seconds))


def add_operation(cloud: Cloud, deployment: ResourceId, properties: dict[str, Any]) -> None:
    """Add what was done to one resource."""
    number = uuid.uuid4().hex[:16].upper()
    entry = {"id": f"{deployment}/operations/{number}", "operationId": number, "properties": properties}
    with cloud.store.changing(deployment) as record:
        if record:
            record.hidden["operations"].append(entry)


def describe_operation(
    planned: Planned | None, seconds: float, status: int, error: dict[str, Any] | None, kind: str = "Create"
) -> dict[str, Any]:
    """Give what a deployment's list of operations shows of one; without a resource it is the outputs' evaluation."""
    properties: dict[str, Any] = {
        "provisioningOperation": kind if planned else "EvaluateDeploymentOutput",
        "provisioningState": "Failed" if error else "Succeeded",
        "timestamp": stamp(),
        "duration": spell_duration(seconds),
        "trackingId": str(uuid.uuid4()),
        "statusCode": HTTPStatus(status).phrase.replace(" ", ""),
    }
    if error:
        properties["statusMessage"] = {"status": "Failed", "error": error}
    if planned:
        properties["serviceRequestId"] = str(uuid.uuid4())
        properties["targetResource"] = describe_target(planned)
    return properties


def show_operation(entry: dict[str, Any], version: str) -> dict[str, Any]:
    """Give an operation as an api-version shows it: the newer ones do not tell the provider's request."""
    shown = {
        key: value
        for key, value in entry["properties"].items()
        if key != "serviceRequestId" or version < _PROVIDERS_REQUEST_UNTIL
    }
    return {**entry, "properties": shown}


def describe_target(planned: Planned) -> dict[str, Any]:
    """Give a resource as dependencies and operations name it."""
    return {"id": planned.id, "resourceType": planned.type, "resourceName": planned.name}


def stamp() -> str:
    """Give this moment as Resource Manager writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def expiration(record: Resource) -> str:
    """Give when a deployment can no longer be cancelled, a week after it began, ``9/24/2020 8:07:50 AM``."""
    end = datetime.fromtimestamp(record.hidden["started"], UTC) + timedelta(days=7)
    return f"{end.month}/{end.day}/{end.year} {end.hour % 12 or 12}:{end:%M:%S %p}"


def spell_duration(seconds: float) -> str:
    """Give a duration as ISO 8601 has it, ``PT1M28.6308048S``."""
    whole, rest = divmod(timedelta(seconds=seconds) // timedelta(microseconds=1), 1_000_000)
    minutes, last = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"PT{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}{last}.{rest:06d}S"


def _providers(resources: Iterable[Planned]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, list[str | None]]] = {}
    for planned in resources:
        namespace, _, kind = planned.type.partition("/")
        locations = found.setdefault(namespace, {}).setdefault(kind, [])
        if planned.location not in locations:
            locations.append(planned.location)
    return [
        {
            "namespace": namespace,
            "resourceTypes": [{"resourceType": kind, "locations": places} for kind, places in kinds.items()],
        }
        for namespace, kinds in found.items()
    ]


def _dependencies(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "dependsOn": [
                describe_target(other)
                for key, other in plan.resources.items()
                if key in planned.needs and other.deployed
            ],
            **describe_target(planned),
        }
        for planned in plan.deployed()
        if any(plan.resources[key].deployed for key in planned.needs)
    ]
