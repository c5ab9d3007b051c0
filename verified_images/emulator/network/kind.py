"""What all resource types of Microsoft.Network have in common, and the routes of their sub-resources."""

from __future__ import annotations

import uuid
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import Kind, check_group, check_group_exists
from verified_images.emulator.network import api_versions
from verified_images.emulator.network.addresses import missing_reference
from verified_images.emulator.network.expansion import expand, find_shown
from verified_images.emulator.network.lookup import find_part, id_of, pick
from verified_images.emulator.network.part import check_name, invalid_format, without_read_only
from verified_images.emulator.network.versions import as_of
from verified_images.emulator.operations import NETWORK, Work
from verified_images.emulator.paging import page
from verified_images.emulator.preconditions import check_preconditions
from verified_images.emulator.request_bodies import read_body
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.part import Part
    from verified_images.emulator.operations import Started

_TOP_LEVEL = ("sku", "zones", "extendedLocation", "kind")
_ZONES = ("1", "2", "3")
_POLL_SECONDS = 10
_NOTIFICATION = "azure-asyncnotification"
_NOTIFIED_SINCE = "2019-11-01"
_PARTS_NOTIFIED_SINCE = "2021-08-01"
"""The api-versions since which writes are answered with the notification's header. Source: recorded answers."""


class NetworkKind(Kind):
    """A resource type of Microsoft.Network. Subclasses set ``parts`` and override what is particular to them."""

    api_versions: ClassVar[tuple[str, ...]] = api_versions.ALL
    parts: ClassVar[tuple[Part, ...]] = ()
    notified_updates_since: ClassVar[str] = _NOTIFIED_SINCE

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check the properties given and add Azure's defaults, sub-resources apart. Refuse with ArmError."""
        del cloud, resource, existing
        return given

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse with ArmError a resource whose parts, all there now, contradict each other."""

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the properties that follow from what refers to the resource."""
        del cloud, resource
        return {}

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Give the resource that a PUT leaves."""
        identifier = existing.id if existing else request.id
        check_name(identifier.name)
        resource = Resource(identifier, {"location": body["location"]}, dict(existing.hidden) if existing else {})
        if body.get("tags") is not None:
            resource.body["tags"] = body["tags"]
        resource.body |= {key: body[key] for key in _TOP_LEVEL if body.get(key) is not None}
        _check_zones(resource)
        given = without_read_only(body.get("properties"))
        lists = {part.collection: given.pop(part.collection, None) for part in self.parts}
        resource.body["properties"] = {
            "provisioningState": "Updating",
            "resourceGuid": existing.properties["resourceGuid"] if existing else str(uuid.uuid4()),
        }
        resource.properties.update(self.fill_in(cloud, resource, given, existing))
        for part in self.parts:
            resource.properties[part.collection] = part.make_all(cloud, resource, lists[part.collection], existing)
        self.check(cloud, resource)
        for part in self.parts:
            for item in part.items(existing) if existing else ():
                if not pick(part.items(resource), item["name"]):
                    part.release(cloud, item)
        return resource

    def put(self, cloud: Cloud, request: Request) -> Answer:
        """Create or replace."""
        answer = super().put(cloud, request)
        return _notified(
            answer, request, self.notified_updates_since if answer.status == HTTPStatus.OK else _NOTIFIED_SINCE
        )

    def delete(self, cloud: Cloud, request: Request) -> Answer:
        """Delete; one that is not there is 204."""
        return _notified(super().delete(cloud, request), request, _NOTIFIED_SINCE)

    def patch(self, cloud: Cloud, request: Request) -> Answer:
        """Replace the tags, all that a PATCH of the provider's types can change."""
        if unknown := next((name for name in read_body(self.type, request) if name.lower() != "tags"), None):
            raise invalid_format(
                "InvalidJson", f"Could not find member '{unknown}' on object of type 'TagsObject'. Path '{unknown}'."
            )
        answer = super().patch(cloud, request)
        return Answer(answer.status, answer.body, {**answer.headers, _NOTIFICATION: "Enabled"})

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Take the parts of a resource that goes away out of what names them and outlives it."""
        for part in self.parts:
            for item in part.items(resource):
                part.release(cloud, item)

    def first_answer(self, resource: Resource, existing: Resource | None) -> tuple[int, str]:
        """Give status and state of a write's first answer: one that changes no property is done at once."""
        if existing and not changed(resource, existing):
            return self.style.updated[0], "Succeeded"
        return super().first_answer(resource, existing)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the resource as the request's api-version shows it."""
        properties = {**resource.properties, **self.back_references(cloud, resource)}
        for part in self.parts:
            properties[part.collection] = list(part.render_all(cloud, resource))
        body = {key: value for key, value in resource.body.items() if key != "properties"}
        shown: dict[str, Any] = as_of(request.api_version, {**body, "properties": properties})
        return shown

    def get(self, cloud: Cloud, request: Request) -> Answer:
        """Give one, with what ``$expand`` names in place of references."""
        answer = super().get(cloud, request)
        return Answer(answer.status, _expanded(cloud, request, answer.body), answer.headers)

    # Sub-resources.

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of the sub-resources."""
        for part in self.parts:
            collection = f"{self.collection_pattern()}/{{parent1}}/{part.collection}"
            item = collection + "/{name}"
            yield Route("GET", collection, partial(self._list_parts, part))
            yield Route("GET", item, partial(self._get_part, part))
            if part.writable:
                yield Route("PUT", item, partial(self._put_part, part))
                yield Route("DELETE", item, partial(self._delete_part, part))

    def _list_parts(self, part: Part, cloud: Cloud, request: Request) -> Answer:
        parent = self.find(cloud, request.id)
        items = list(part.render_all(cloud, parent))
        return page(cloud, request, as_of(request.api_version, items))

    def _get_part(self, part: Part, cloud: Cloud, request: Request) -> Answer:
        parent = self.find(cloud, _parent(request.id))
        item = pick(part.shown(cloud, parent), request.id.name)
        if item is None:
            raise network_error(404, "NotFound", f"Resource {request.id} not found.")
        shown = as_of(request.api_version, part.render(cloud, parent, item))
        return Answer(200, _expanded(cloud, request, shown))

    def _put_part(self, part: Part, cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            check_group(cloud, request.id)
            parent = cloud.store.find(_parent(request.id))
            if parent is None:
                raise arm_errors.parent_not_found(request.id)
            items = part.items(parent)
            existing = pick(items, request.id.name)
            self._check_not_deleting(parent)
            check_preconditions(request, parent if existing else None)
            body = read_body(f"{self.type}/{part.collection}", request)
            made = part.make(cloud, parent, {**body, "name": request.id.name}, existing)
            status, state = part.updated if existing else part.created
            if existing and made == existing and "syncremoteaddressspace" not in request.query:
                state = "Succeeded"
            _place(items, made, existing)
            part.note_written(parent)
            parent.properties[part.collection] = items
            self.check(cloud, parent)
            self._touch(cloud, parent, state)
            answer = as_of(request.api_version, part.render(cloud, parent, made))
        work = Work(
            lambda: None,
            on=parent.id,
            conclude=lambda succeeded: self._conclude_write(cloud, parent.id, succeeded=succeeded),
        )
        started = self._start_on_part(part, "write", cloud, request, work)
        headers = dict(started.status_header)
        seconds = part.retry_write or self.style.retry_write
        if seconds and not started.at_once:
            headers["Retry-After"] = str(seconds)
        return _notified(Answer(status, answer, headers), request, _PARTS_NOTIFIED_SINCE)

    def _start_on_part(self, part: Part, verb: str, cloud: Cloud, request: Request, work: Work) -> Started:
        parent = self.find(cloud, _parent(request.id))
        name = f"{self.type}/{part.collection}/{verb}"
        return cloud.operations.start(request, name, parent.location, work, track=NETWORK)

    def _delete_part(self, part: Part, cloud: Cloud, request: Request) -> Answer:
        with cloud.store.lock:
            check_group_exists(cloud, request.id)
            parent = cloud.store.find(_parent(request.id))
            item = pick(part.items(parent), request.id.name) if parent else None
            if parent is None or item is None:
                return Answer(204)
            part.check_delete(cloud, parent, item)
            self._touch(cloud, parent, "Updating")
        work = Work(
            lambda: None, on=parent.id, conclude=lambda _: self._remove_part(part, cloud, parent.id, item["name"])
        )
        started = self._start_on_part(part, "delete", cloud, request, work)
        headers = started.status_header | started.location_header
        if not started.at_once:
            headers["Retry-After"] = str(_POLL_SECONDS)
        return _notified(Answer(202, None, headers), request, _PARTS_NOTIFIED_SINCE)

    def _remove_part(self, part: Part, cloud: Cloud, parent_id: ResourceId, name: str) -> None:
        with cloud.store.lock:
            parent = cloud.store.find(parent_id)
            if parent is None or parent.state == "Deleting":
                return
            items = part.items(parent)
            parent.properties[part.collection] = [item for item in items if item["name"] != name]
            for item in items:
                if item["name"] == name:
                    part.release(cloud, item)
            self._touch(cloud, parent, "Succeeded")

    def _touch(self, cloud: Cloud, resource: Resource, state: str) -> None:
        self.stamp(resource)
        resource.properties["provisioningState"] = state
        cloud.store.put(resource)


def _check_zones(resource: Resource) -> None:
    unknown = [str(zone) for zone in resource.body.get("zones") or () if str(zone) not in _ZONES]
    if unknown:
        raise arm_errors.ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(unknown)}' for resource '{resource.id.type}/{resource.id.name}' is not supported. "
            f"The supported zones for location '{resource.location}' are '{','.join(_ZONES)}'",
        )


def _notified(answer: Answer, request: Request, since: str) -> Answer:
    headers = {
        name: value for name, value in answer.headers.items() if name != _NOTIFICATION or request.api_version >= since
    }
    return Answer(answer.status, answer.body, headers)


def _expanded(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    def render(found: Resource) -> dict[str, Any]:
        kind = cloud.kind_of(found.id.type)
        return kind.render(cloud, found, request) if kind else found.body

    return expand(body, request.query.get("$expand", ""), partial(find_shown, cloud, render))


def changed(resource: Resource, existing: Resource) -> bool:
    """Tell whether a write changes more than tags."""
    return _essence(resource) != _essence(existing)


def _essence(resource: Resource) -> dict[str, Any]:
    properties = {key: value for key, value in resource.properties.items() if key != "provisioningState"}
    return {"sku": resource.body.get("sku"), "zones": resource.body.get("zones"), "properties": properties}


def require(cloud: Cloud, resource: Resource, reference: Any, *, path: str, kind: str) -> str:  # noqa: ANN401 - any JSON value
    """Give the id in a reference to a resource (or a part of one) that exists in the referrer's location.

    ``path`` is where it stands in the body, ``kind`` the last segment of the type that it must be of.

    Raises:
        ArmError: 400: it is no id, or does not name what exists there.
    """
    target = id_of(reference)
    if not target:
        raise invalid_format("MissingJsonReferenceId", f"Value for reference id is missing. Path {path}.")
    try:
        identifier = ResourceId.parse(target)
    except ValueError as error:
        raise arm_errors.ArmError(
            400,
            "LinkedInvalidPropertyId",
            f"Property id '{target}' at path '{path}' is invalid. Expect fully qualified resource Id that start with "
            "'/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.",
        ) from error
    if identifier.types[-1].lower() != kind.lower():
        raise invalid_format(
            "InvalidJsonReferenceWrongType",
            f"Reference Id {target} is referencing resource of a wrong type. The Id is expected to reference resources "
            f"of type {kind}. Path {path}.",
        )
    top = _top(identifier)
    holder = resource if top.key == resource.id.key else cloud.store.find(top)
    if holder is None or holder.location != resource.location:
        raise network_error(400, "InvalidResourceReference", missing_reference(target, str(resource.id)))
    if identifier.parent and holder is not resource and find_part(cloud, identifier) is None:
        raise network_error(400, "InvalidResourceReference", missing_reference(target, str(resource.id)))
    return target


def _top(identifier: ResourceId) -> ResourceId:
    while identifier.parent:
        identifier = identifier.parent
    return identifier


def _parent(identifier: ResourceId) -> ResourceId:
    parent = identifier.parent
    if parent is None:
        raise ValueError(f"{identifier} has no parent")
    return parent


def _place(items: list[dict[str, Any]], made: dict[str, Any], existing: dict[str, Any] | None) -> None:
    if existing is None:
        items.append(made)
    else:
        items[items.index(existing)] = made
