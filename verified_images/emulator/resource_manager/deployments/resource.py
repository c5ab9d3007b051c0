"""Deployments to a group or a subscription: the calls that begin, show, cancel and delete them."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, Style, check_group, check_group_exists
from verified_images.emulator.operations import IN_PROGRESS, Track, Work
from verified_images.emulator.paging import page
from verified_images.emulator.resource_manager.deployments.execution import Execution
from verified_images.emulator.resource_manager.deployments.preparation import prepare
from verified_images.emulator.resource_manager.deployments.records import (
    ENDED,
    TYPE,
    expiration,
    new_record,
    show,
    show_operation,
)
from verified_images.emulator.resource_manager.deployments.refusals import deployment_not_found
from verified_images.emulator.resource_manager.deployments.what_if import foresee
from verified_images.emulator.resource_manager.filters import wanted_value
from verified_images.emulator.resource_manager.jobs import DEPLOYMENT_DELETION, job_url
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_TRACK = Track("Microsoft.Resources")
_PATIENCE_SECONDS = 2.0


class Deployments(Kind):
    """Microsoft.Resources/deployments."""

    type = TYPE
    style = Style(track=_TRACK)
    tracked = False
    noun = "deployment"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled: set[str] = set()

    def routes(self) -> Iterator[Route]:
        """Give the URL table of the type."""
        for scope in ("/subscriptions/{subscription}", GROUP):
            yield from self._routes_at(f"{scope}/providers/{TYPE}")
        yield Route("GET", GROUP + "/deployments/{name}/operations", self._list_operations)
        yield Route("GET", GROUP + "/deployments/{name}/operations/{operation}", self._get_operation)

    def _routes_at(self, collection: str) -> Iterator[Route]:
        item = collection + "/{name}"
        yield Route("GET", collection, self._list_all)
        yield Route("PUT", item, self.put)
        yield Route("GET", item, self.get)
        yield Route("HEAD", item, self._head)
        yield Route("DELETE", item, self.delete)
        yield Route("POST", item + "/validate", self._validate)
        yield Route("POST", item + "/whatIf", self._what_if)
        yield Route("POST", item + "/cancel", self._cancel)
        yield Route("POST", item + "/exportTemplate", self._export)
        yield Route("GET", item + "/operationStatuses/{operation}", self._poll)
        yield Route("GET", item + "/operations", self._list_operations)
        yield Route("GET", item + "/operations/{operation}", self._get_operation)

    def put(self, cloud: Cloud, request: Request) -> Answer:
        """Begin a deployment, in the place of an earlier one of its name."""
        _check_place(cloud, request)
        _check_not_active(cloud.store.find(_record_id(request)))
        prepared = prepare(cloud, request, _record_id(request))
        record = new_record(prepared, request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4()))
        with cloud.store.lock:
            existing = cloud.store.find(_record_id(request))
            _check_not_active(existing)
            cloud.store.put(record)
            with self._lock:
                self._cancelled.discard(_record_id(request).key)
        execution = Execution(cloud, request, prepared, lambda: self._is_cancelled(record))
        started = cloud.operations.start(
            request,
            f"{TYPE}/write",
            _location(cloud, record),
            Work(execution.run, on=record.id, conclude=lambda _: _settle(cloud, record.id)),
            track=_TRACK,
            slow=True,
        )
        with cloud.store.changing(record.id) as found:
            if found:
                found.hidden["operation"] = started.key
        url = f"{request.base_url}{request.path}/operationStatuses/{record.hidden['number']}"
        return Answer(
            200 if existing else 201,
            show(record),
            {"Azure-AsyncOperation": f"{url}?api-version={request.api_version}"},
        )

    def _is_cancelled(self, record: Resource) -> bool:
        with self._lock:
            return record.id.key in self._cancelled

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Cancel a deployment that runs and is to be deleted."""
        del cloud
        with self._lock:
            self._cancelled.add(resource.id.key)

    def find(self, cloud: Cloud, resource: ResourceId) -> Resource:
        """Give the deployment.

        Raises:
            ArmError: 404: the group or the deployment does not exist.
        """
        if resource.group:
            check_group_exists(cloud, resource)
        found = cloud.store.find(resource)
        if found is None:
            raise deployment_not_found(resource.name)
        return found

    def get(self, cloud: Cloud, request: Request) -> Answer:
        """Give one."""
        return Answer(200, show(self.find(cloud, _record_id(request))))

    def _head(self, cloud: Cloud, request: Request) -> Answer:
        return Answer(204 if cloud.store.find(_record_id(request)) else 404)

    def _list_all(self, cloud: Cloud, request: Request) -> Answer:
        place = _place(request)
        if place.group:
            check_group_exists(cloud, place)
        wanted = wanted_value(request.query.get("$filter"), "provisioningstate").lower()
        found = [
            show(record)
            for record in cloud.store.select(TYPE, under=place)
            if record.id.group.lower() == place.group.lower() and (not wanted or record.state.lower() == wanted)
        ]
        found.sort(key=lambda record: str(record["properties"]["timestamp"]), reverse=True)
        top = request.query.get("$top", "")
        return page(cloud, request, found[: int(top)] if top.isdigit() else found)

    def delete(self, cloud: Cloud, request: Request) -> Answer:
        """Forget a deployment; what it has made stays."""
        if _place(request).group:
            check_group_exists(cloud, _place(request))
        record = cloud.store.find(_record_id(request))
        if record is None:
            return Answer(204)
        _check_not_active(record)
        cloud.store.remove(record.id)
        location = _location(cloud, record)
        started = cloud.operations.start(request, f"{TYPE}/delete", location, lambda: None, track=_TRACK)
        return Answer(202, None, {"Location": job_url(request, DEPLOYMENT_DELETION, started, location)})

    def _validate(self, cloud: Cloud, request: Request) -> Answer:
        _check_place(cloud, request)
        prepared = prepare(cloud, request, _record_id(request))
        shown = show(new_record(prepared, str(uuid.uuid4())))
        shown["properties"] |= {
            "provisioningState": "Succeeded",
            "validatedResources": [{"id": planned.id} for planned in prepared.plan.deployed()],
        }
        return Answer(200, shown)

    def _what_if(self, cloud: Cloud, request: Request) -> Answer:
        _check_place(cloud, request)
        settings = request.json().get("properties", {}).get("whatIfSettings") or {}
        full = str(settings.get("resultFormat", "")).lower() != "resourceidonly"

        def find_changes() -> dict[str, Any]:
            try:
                changes = foresee(cloud, prepare(cloud, request, _record_id(request)), full=full)
            except ArmError as error:
                return {"status": "Failed", "error": error.inner()}
            return {"status": "Succeeded", "properties": {"changes": changes}}

        place = _place(request)
        location = check_group_exists(cloud, place).location if place.group else str(request.json().get("location"))
        started = cloud.operations.start(request, f"{TYPE}/whatIf/action", location, find_changes, track=_TRACK)
        return Answer(202, None, {"Location": job_url(request, "DEPLOYMENTWHATIFJOB", started, location)})

    def _cancel(self, cloud: Cloud, request: Request) -> Answer:
        record = self.find(cloud, _record_id(request))
        if record.state in ENDED:
            raise ArmError(
                409,
                "DeploymentCannotBeCancelled",
                f"The deployment '{record.id.name}' cannot be cancelled because it has provisioning state "
                f"'{record.state}' or it has already expired (expiration time is '{expiration(record)}').",
            )
        self.interrupt(cloud, record)
        return Answer(204)

    def _export(self, cloud: Cloud, request: Request) -> Answer:
        return Answer(200, {"template": self.find(cloud, _record_id(request)).hidden["template"]})

    def _poll(self, cloud: Cloud, request: Request) -> Answer:
        record = self.find(cloud, _record_id(request))
        if record.hidden["number"] != request.parameters["operation"]:
            raise ArmError(404, "NotFound", f"The operation '{request.parameters['operation']}' was not found.")
        record = self._await_end(cloud, record)
        operation = cloud.operations.find(record.hidden.get("operation", "")) or {}
        error = operation.get("error") or record.hidden["properties"].get("error")
        state = record.state
        if state == "Failed" and not error and operation.get("status") == IN_PROGRESS:
            state = "Running"  # its error is about to be written
        body: dict[str, Any] = {"status": state if state in {"Accepted", *ENDED} else "Running"}
        if error:
            body["error"] = error
        return Answer(200, body)

    def _await_end(self, cloud: Cloud, record: Resource) -> Resource:
        """Give a short deployment time to end: the azure CLI asks again only after half a minute."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while record.state not in ENDED and time.monotonic() < until:
            time.sleep(_PATIENCE_SECONDS / 100)
            record = self.find(cloud, record.id)
        return record

    def _list_operations(self, cloud: Cloud, request: Request) -> Answer:
        record = self.find(cloud, _record_id(request))
        operations = sorted(record.hidden["operations"], key=lambda entry: str(entry["properties"]["timestamp"]))
        top = request.query.get("$top", "")
        operations = [show_operation(entry, request.api_version) for entry in operations]
        return page(cloud, request, operations[: int(top)] if top.isdigit() else operations)

    def _get_operation(self, cloud: Cloud, request: Request) -> Answer:
        wanted = request.parameters["operation"]
        for operation in self.find(cloud, _record_id(request)).hidden["operations"]:
            if operation["operationId"].lower() == wanted.lower():
                return Answer(200, show_operation(operation, request.api_version))
        raise ArmError(404, "DeploymentOperationNotFound", f"Deployment operation '{wanted}' could not be found.")


def _record_id(request: Request) -> ResourceId:
    """Give the deployment's id, also where the path goes on behind it or leaves its provider out."""
    values = request.parameters
    return ResourceId(
        values["subscription"], values.get("group", ""), "Microsoft.Resources", ("deployments",), (values["name"],)
    )


def _place(request: Request) -> ResourceId:
    """Give the group that is deployed to; of a subscription it is an id with no group."""
    return ResourceId(request.parameters["subscription"], request.parameters.get("group", ""))


def _check_place(cloud: Cloud, request: Request) -> None:
    """Refuse a deployment to a group that does not exist or is being deleted."""
    if _place(request).group:
        check_group(cloud, _place(request))


def _location(cloud: Cloud, record: Resource) -> str:
    """Give where a deployment is kept: its own location, or its group's."""
    return record.location or check_group_exists(cloud, record.id).location


def _settle(cloud: Cloud, deployment: ResourceId) -> None:
    """Write that a deployment failed which ended before it could write so itself."""
    with cloud.store.changing(deployment) as record:
        if record and record.state not in ENDED:
            record.properties["provisioningState"] = "Failed"


def _check_not_active(existing: Resource | None) -> None:
    if existing and existing.state not in ENDED:
        raise ArmError(
            409,
            "DeploymentActive",
            f"Unable to edit or replace deployment '{existing.id.name}': previous deployment from "
            f"'{existing.hidden['properties']['timestamp']}' is still active. Please see https://aka.ms/arm-deploy for "
            "usage details.",
        )
