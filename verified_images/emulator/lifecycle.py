"""The life of a resource as all types share it, which each fills in as a subclass of ``Kind`` in a file of its own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.locations import check_location
from verified_images.emulator.merging import merge
from verified_images.emulator.operations import Work, preempted
from verified_images.emulator.paging import page
from verified_images.emulator.preconditions import check_preconditions
from verified_images.emulator.request_bodies import read_body
from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.wire import Answer, Request, inner_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.operations import Track
    from verified_images.emulator.store import Resource


@dataclass(frozen=True, slots=True)
class Style:
    """How a provider answers writes of a type: status and provisioning state of the first answer.

    ``track`` is None for a type whose writes are synchronous. The ``retry_*`` are seconds for Retry-After
    (None: the header is not sent); they are sent only when the operation was not carried out at once.
    """

    track: Track | None
    created: tuple[int, str] = (201, "Creating")
    updated: tuple[int, str] = (200, "Updating")
    deleted: int = 202
    location_on_put: bool = False
    etag: str = ""
    retry_write: int | None = None
    retry_update: bool = True
    retry_delete: int | None = None


class Kind:
    """One resource type. Subclasses set ``type`` and ``style`` and override what is particular to them."""

    type: ClassVar[str]
    style: ClassVar[Style]
    tracked: ClassVar[bool] = True
    slow_write: ClassVar[bool] = False
    slow_delete: ClassVar[bool] = False
    tags_at_once: ClassVar[bool] = True
    noun: ClassVar[str] = "resource"
    api_versions: ClassVar[tuple[str, ...]] = ()

    # What a type fills in.

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check a PUT's body and give the resource with the defaults that Azure fills in. Refuse with ArmError."""
        raise NotImplementedError

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Do the work of a PUT or PATCH; the stored resource may be changed through ``cloud.store``."""

    def settle(self, cloud: Cloud, resource: Resource) -> None:
        """Change in ``resource`` what shows only once a PUT or PATCH has succeeded; it is stored afterwards."""

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Cut short the work of a write, which may run now, since the resource is to be deleted."""

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse a deletion with ArmError while another resource needs this one."""

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Do the work of a DELETE; the resource and its children are removed from the store afterwards."""

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the resource as the wire shows it."""
        del cloud, request
        return resource.body

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the resource as the first answer to a write shows it."""
        return self.render(cloud, resource, request)

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Bring a resource back to what its state says, after the local Azure was started again."""

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of actions and child collections that are particular to the type."""
        yield from ()

    def first_answer(self, resource: Resource, existing: Resource | None) -> tuple[int, str]:
        """Give status and provisioning state of the first answer to a write."""
        del resource
        return self.style.updated if existing else self.style.created

    def is_synchronous(self, resource: Resource, existing: Resource | None) -> bool:
        """Tell whether a write is done at once although those of the type are long-running."""
        del resource, existing
        return False

    # What all types share.

    def routes(self) -> Iterator[Route]:
        """Give the URL table of the type."""
        yield from self.more_routes()
        collection = self.collection_pattern()
        item = collection + "/{name}"
        yield Route("PUT", item, self.put)
        yield Route("PATCH", item, self.patch)
        yield Route("GET", item, self.get)
        yield Route("DELETE", item, self.delete)
        yield Route("GET", collection, self.list_in_group)
        if self.tracked:
            yield Route("GET", f"/subscriptions/{{subscription}}/providers/{self.type}", self.list_in_subscription)

    def collection_pattern(self) -> str:
        """Give the pattern of the list in a group (or under the parent), ``.../galleries/{parent1}/images``."""
        provider, *types = self.type.split("/")
        parents = "".join(f"/{kind}/{{parent{depth}}}" for depth, kind in enumerate(types[:-1], 1))
        return f"{GROUP}/providers/{provider}{parents}/{types[-1]}"

    def put(self, cloud: Cloud, request: Request) -> Answer:
        """Create or replace."""
        with cloud.store.lock:
            check_group(cloud, request.id)
            existing = cloud.store.find(request.id)
            self._check_parent(cloud, request.id)
            self._check_not_deleting(existing)
            check_preconditions(request, existing)
            body = read_body(self.type, request)
            if self.tracked:
                check_location(self.type, body, existing)
            resource = self.complete(cloud, request, body, existing)
            first_answer = self._write(cloud, request, resource, existing)
        return self._start_write(cloud, request, first_answer, existing)

    def patch(self, cloud: Cloud, request: Request) -> Answer:
        """Merge into what is there; where ``tags_at_once``, a patch of nothing but tags changes nothing else."""
        with cloud.store.lock:
            existing = self.find(cloud, request.id)
            self._check_not_deleting(existing)
            check_preconditions(request, existing)
            body = read_body(self.type, request)
            if self.tags_at_once and set(body) <= {"tags"}:
                existing.body["tags"] = body.get("tags") or {}
                self.stamp(existing)
                cloud.store.put(existing)
                return Answer(200, self.render(cloud, existing, request))
            merged = merge(existing.body, body)
            resource = self.complete(cloud, request, merged, existing)
            first_answer = self._write(cloud, request, resource, existing)
        return self._start_write(cloud, request, first_answer, existing)

    def _check_not_deleting(self, existing: Resource | None) -> None:
        if existing and existing.state == "Deleting":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'Create or Update {self.noun}' is not allowed on {self.noun} '{existing.id.name}' since "
                f"the {self.noun} is marked for deletion. You can only retry the Delete operation (or wait for an "
                "ongoing one to complete).",
            )

    def _write(self, cloud: Cloud, request: Request, resource: Resource, existing: Resource | None) -> Answer:
        """Store what a write leaves and give its first answer."""
        status, state = self.first_answer(resource, existing)
        resource.body = {
            "name": resource.id.name,
            "id": str(resource.id),
            "type": self.type,
            **({"location": resource.location} if resource.location else {}),
            **{key: value for key, value in resource.body.items() if key not in {"name", "id", "type", "location"}},
        }
        self.stamp(resource)
        resource.properties["provisioningState"] = state
        cloud.store.put(resource)
        return Answer(status, self.render_first(cloud, resource, request))

    def _start_write(self, cloud: Cloud, request: Request, first_answer: Answer, existing: Resource | None) -> Answer:
        resource = check_wanted(cloud, request.id)
        if self.style.track is None or self.is_synchronous(resource, existing):
            self._finish_write(cloud, resource.id)
            return Answer(first_answer.status, self.render(cloud, self.find(cloud, resource.id), request))
        started = cloud.operations.start(
            request,
            f"{self.type}/write",
            resource.location or self.location_of(cloud, resource),
            Work(
                lambda: self.realize(cloud, check_wanted(cloud, resource.id)),
                on=resource.id,
                conclude=lambda succeeded: self._conclude_write(cloud, resource.id, succeeded=succeeded),
                show=(lambda: self._shown(cloud, resource.id, request)) if self.style.track.shows_result else None,
            ),
            track=self.style.track,
            slow=self.slow_write,
        )
        headers = dict(started.status_header)
        if self.style.location_on_put:
            headers |= started.location_header
        if self.style.retry_write and not started.at_once and (existing is None or self.style.retry_update):
            headers["Retry-After"] = str(self.style.retry_write)
        return Answer(first_answer.status, first_answer.body, headers)

    def _shown(self, cloud: Cloud, resource: ResourceId, request: Request) -> dict[str, Any] | None:
        found = cloud.store.find(resource)
        return self.render(cloud, found, request) if found else None

    def _finish_write(self, cloud: Cloud, resource: ResourceId) -> None:
        succeeded = False
        try:
            self.realize(cloud, check_wanted(cloud, resource))
            succeeded = True
        finally:
            self._conclude_write(cloud, resource, succeeded=succeeded)

    def _conclude_write(self, cloud: Cloud, resource: ResourceId, *, succeeded: bool) -> None:
        with cloud.store.changing(resource) as found:
            if found and found.state != "Deleting":
                found.properties["provisioningState"] = "Succeeded" if succeeded else "Failed"
                if succeeded:
                    self.settle(cloud, found)

    def get(self, cloud: Cloud, request: Request) -> Answer:
        """Give one."""
        self._check_parent(cloud, request.id)
        return Answer(200, self.render(cloud, self.find(cloud, request.id), request))

    def list_in_group(self, cloud: Cloud, request: Request) -> Answer:
        """Give those of a group, or those under a parent."""
        self._check_list_parent(cloud, request)
        return self._list(cloud, request, lambda resource: resource.key.startswith(self._scope(request)))

    def list_in_subscription(self, cloud: Cloud, request: Request) -> Answer:
        """Give those of the subscription."""
        return self._list(cloud, request, lambda _: True)

    def _list(self, cloud: Cloud, request: Request, wanted: Callable[[ResourceId], bool]) -> Answer:
        found = [resource for resource in cloud.store.select(self.type) if wanted(resource.id)]
        return page(cloud, request, [self.render(cloud, resource, request) for resource in found])

    def _scope(self, request: Request) -> str:
        return request.path.rstrip("/").lower() + "/"

    def _check_list_parent(self, cloud: Cloud, request: Request) -> None:
        check_group_exists(cloud, request.id)
        if request.id.provider and request.id.type.lower() != self.type.lower() and not cloud.store.find(request.id):
            raise arm_errors.resource_not_found(request.id)

    def delete(self, cloud: Cloud, request: Request) -> Answer:
        """Delete; one that is not there is 204."""
        with cloud.store.lock:
            check_group_exists(cloud, request.id)
            resource = cloud.store.find(request.id)
            if resource is None:
                return Answer(204)
            check_preconditions(request, resource)
            self.check_delete(cloud, resource)
            set_state(cloud, resource.id, "Deleting")
        if self.style.track is None:
            self.remove(cloud, resource)
            return Answer(200)
        self.interrupt(cloud, resource)
        started = cloud.operations.start(
            request,
            f"{self.type}/delete",
            resource.location or self.location_of(cloud, resource),
            self.deletion_work(cloud, resource.id),
            track=self.style.track,
            slow=self.slow_delete,
        )
        headers = started.status_header | started.location_header
        if self.style.retry_delete and not started.at_once:
            headers["Retry-After"] = str(self.style.retry_delete)
        return Answer(self.style.deleted, None, headers)

    def make(self, cloud: Cloud, identifier: ResourceId, body: dict[str, Any], **hidden: Any) -> Resource:  # noqa: ANN401 - any JSON value
        """Create a resource as part of what else is done, once it is there; ``hidden`` is noted with it."""
        request = inner_request(identifier, body, self.api_versions[-1] if self.api_versions else "")
        with cloud.store.lock:
            check_group(cloud, identifier)
            content = read_body(self.type, request)
            if self.tracked:
                check_location(self.type, content, None)
            resource = self.complete(cloud, request, content, None)
            resource.hidden |= hidden
            self._write(cloud, request, resource, None)
            turn = cloud.operations.turns.ask(identifier.key)
        with turn:
            self._finish_write(cloud, identifier)
        return check_wanted(cloud, identifier)

    def deletion_work(self, cloud: Cloud, resource: ResourceId) -> Work:
        """Give what the operation of a DELETE does."""
        return Work(
            lambda: self._dispose(cloud, resource),
            on=resource,
            conclude=lambda succeeded: self._conclude_delete(cloud, resource, succeeded=succeeded),
        )

    def remove(self, cloud: Cloud, resource: Resource) -> None:
        """Delete a resource as part of what else is done: once nothing else is being done on it, and at once then.

        Not to be called with the store's lock held, nor as part of an operation on the resource itself.
        """
        set_state(cloud, resource.id, "Deleting")
        self.interrupt(cloud, resource)
        with cloud.operations.turns.ask(resource.id.key):
            succeeded = False
            try:
                self._dispose(cloud, resource.id)
                succeeded = True
            finally:
                self._conclude_delete(cloud, resource.id, succeeded=succeeded)

    def _dispose(self, cloud: Cloud, resource: ResourceId) -> None:
        if found := cloud.store.find(resource):
            self.dispose(cloud, found)

    def _conclude_delete(self, cloud: Cloud, resource: ResourceId, *, succeeded: bool) -> None:
        if not succeeded:
            set_state(cloud, resource, "Failed")
            return
        with cloud.store.lock:
            for child in cloud.store.select(under=resource):
                cloud.store.remove(child.id)
            cloud.store.remove(resource)

    def find(self, cloud: Cloud, resource: ResourceId) -> Resource:
        """Give the resource.

        Raises:
            ArmError: 404: the group or the resource does not exist.
        """
        check_group_exists(cloud, resource)
        found = cloud.store.find(resource)
        if found is None:
            raise arm_errors.resource_not_found(resource)
        return found

    def location_of(self, cloud: Cloud, resource: Resource) -> str:
        """Give the location of a child: its nearest ancestor's."""
        parent = resource.id.parent
        while parent is not None:
            if (found := cloud.store.find(parent)) and found.location:
                return found.location
            parent = parent.parent
        raise ArmError(404, "ParentResourceNotFound", f"The parent of '{resource.id}' could not be found.")

    def stamp(self, resource: Resource) -> None:
        """Give the resource a new etag in its provider's way."""
        if self.style.etag == "network":
            resource.body["etag"] = f'W/"{uuid.uuid4()}"'
        elif self.style.etag == "counter":
            last = str(resource.body.get("etag", '"0"')).strip('"')
            resource.body["etag"] = f'"{int(last) + 1}"'

    def _check_parent(self, cloud: Cloud, resource: ResourceId) -> None:
        parent = resource.parent
        if parent is not None and cloud.store.find(parent) is None:
            check_group_exists(cloud, resource)
            raise arm_errors.resource_not_found(parent)


def check_wanted(cloud: Cloud, resource: ResourceId) -> Resource:
    """Give a resource as it is now, for an operation that works on it.

    Raises:
        ArmError: it is being deleted, or is gone: the operation is preempted.
    """
    found = cloud.store.find(resource)
    if found is None or found.state == "Deleting":
        raise preempted()
    return found


def set_state(cloud: Cloud, resource: ResourceId, state: str) -> None:
    """Write the provisioning state of a resource, if it is still there."""
    with cloud.store.changing(resource) as found:
        if found:
            found.properties["provisioningState"] = state


def check_group_exists(cloud: Cloud, resource: ResourceId) -> Resource:
    """Give the resource's group, or refuse with 404."""
    group = cloud.store.find(resource.group_id)
    if group is None:
        raise arm_errors.group_not_found(resource.group)
    return group


def check_group(cloud: Cloud, resource: ResourceId) -> None:
    """Refuse a write in a group that does not exist or is being deleted."""
    if check_group_exists(cloud, resource).state == "Deleting":
        raise arm_errors.group_being_deleted(resource.group)
