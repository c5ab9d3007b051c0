"""Virtual machines. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.guest_agent import run_command
from verified_images.emulator.compute.machines import actions, boot_diagnostics, lists, power
from verified_images.emulator.compute.machines import model as machine_model
from verified_images.emulator.compute.machines.cards import attach_cards, check_cards, let_go_of_cards
from verified_images.emulator.compute.machines.disks import let_go_of_disks, provide_disks
from verified_images.emulator.compute.machines.guests import boot_guest, machine_size, set_power, wait_for_guest
from verified_images.emulator.compute.machines.identity import fill_identity
from verified_images.emulator.compute.machines.instance_view import instance_view
from verified_images.emulator.compute.machines.placement import check_placement, fill_priority, is_spot
from verified_images.emulator.compute.machines.power import primary_interface
from verified_images.emulator.compute.machines.rendering import rendered, without_unmade
from verified_images.emulator.compute.machines.security import fill_security
from verified_images.emulator.compute.machines.storage import fill_storage
from verified_images.emulator.compute.machines.updates import apply_update, updated_machine
from verified_images.emulator.compute.scale_sets import membership as scale_set_membership
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
from verified_images.emulator.lifecycle import Kind, Style, check_wanted
from verified_images.emulator.offering import check_restrictions
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Compute/virtualMachines"


class VirtualMachines(Kind):
    """Microsoft.Compute/virtualMachines."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, etag="counter", retry_write=10, retry_update=False, retry_delete=10)
    slow_write: ClassVar[bool] = True
    slow_delete: ClassVar[bool] = True
    noun: ClassVar[str] = "VM"
    tags_at_once: ClassVar[bool] = False
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a machine's actions and views."""
        item = self.collection_pattern() + "/{name}"
        yield Route("GET", item + "/instanceView", self._get_instance_view)
        yield from power.routes(item, self.find)
        yield from actions.routes(item, self.find)
        yield from lists.routes(self.render)
        yield Route("POST", item + "/generalize", power.generalize(self.find))
        yield from run_command.routes(item, self.find)
        yield from boot_diagnostics.routes(item, self.find)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the model against image, size, quota and network cards, and fill in the defaults."""
        if existing:
            return updated_machine(cloud, existing, body)
        properties = dict(body.get("properties") or {})
        size_name = (properties.get("hardwareProfile") or {}).get("vmSize")
        if not size_name:
            raise missing_parameter("hardwareProfile.vmSize")
        size = find_size(size_name)
        secrets = machine_model.split_secrets(properties)
        properties.pop("instanceView", None)
        check_placement(cloud, request.id, body)
        fill_priority(properties, size)
        check_restrictions(cloud, body["location"], size, body.get("zones") or [])
        check_quota(cloud, body["location"], size.name, 1, spot=is_spot(properties))
        check_cards(cloud, request, properties)
        fill_identity(cloud, request.id, body, None)
        machine = Resource(request.id, {**body, "properties": {"vmId": str(uuid.uuid4()), **properties}})
        machine.hidden = {"guest": machine.properties["vmId"], "secrets": secrets, "power": "starting"}
        fill_storage(cloud, machine, secrets)
        fill_security(machine, size)
        machine.properties["timeCreated"] = datetime.now(UTC).isoformat()
        scale_set_membership.check_membership(cloud, machine)
        return machine

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Make the machine's disks and boot its guest; an update changes what is there."""
        if resource.hidden.get("booted_size"):
            apply_update(cloud, resource)
            return
        scale_set_membership.join(cloud, resource)
        attach_cards(cloud, resource)
        provide_disks(cloud, resource)
        if cloud.hypervisor.is_running(resource.hidden["guest"]):
            wait_for_guest(cloud, resource)
        else:
            boot_guest(cloud, resource, nic=primary_interface(cloud, resource))
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden["booted_size"] = machine_size(resource)

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Stop the guest, for which something may be waiting."""
        cloud.hypervisor.stop(resource.hidden["guest"], graceful=False)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Stop the guest, then let go of, or delete, disks and cards as their deleteOption says."""
        cloud.hypervisor.forget(resource.hidden["guest"])
        scale_set_membership.leave(cloud, resource)
        let_go_of_disks(cloud, resource)
        let_go_of_cards(cloud, resource)

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that the guest is gone: a restart of the local Azure is a power failure to its machines."""
        if resource.hidden.get("power") not in {"stopped", "deallocated"}:
            set_power(cloud, resource, "stopped")

    def patch(self, cloud: Cloud, request: Request) -> Answer:
        """Merge into what is there; the answer to a change of tags still says Updating."""
        answer = super().patch(cloud, request)
        return Answer(answer.status, _with_state(answer.body, "Updating"), answer.headers)

    def _start_write(self, cloud: Cloud, request: Request, first_answer: Answer, existing: Resource | None) -> Answer:
        changed = check_wanted(cloud, request.id).hidden.get("changes", True)
        # A patch of tags alone is an operation, one of properties that are so already is not.
        of_tags = request.method == "PATCH" and "properties" not in request.json()
        unchanged = existing and not changed and not of_tags
        if unchanged and not cloud.operations.turns.is_busy(request.id.key):
            with cloud.operations.turns.ask(request.id.key):
                self._finish_write(cloud, request.id)
            return first_answer
        return super()._start_write(cloud, request, first_answer, existing)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the machine; with ``$expand`` its state or its user data too."""
        return rendered(cloud, resource, request)

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the machine without what is not made yet: names that nobody chose, and ids of disks."""
        body = rendered(cloud, resource, request)
        return without_unmade(body, resource) if resource.state == "Creating" else body

    def _get_instance_view(self, cloud: Cloud, request: Request) -> Answer:
        return Answer(200, instance_view(cloud, self.find(cloud, request.id)))

    def list_in_group(self, cloud: Cloud, request: Request) -> Answer:
        """Give those of a group; a ``$filter`` leaves those of one scale set."""
        return lists.filtered(request, super().list_in_group(cloud, request))

    def list_in_subscription(self, cloud: Cloud, request: Request) -> Answer:
        """Give those of the subscription; ``statusOnly`` adds their states."""
        return lists.filtered(request, super().list_in_subscription(cloud, request))


def _with_state(body: dict[str, Any], state: str) -> dict[str, Any]:
    return {**body, "properties": {**body["properties"], "provisioningState": state}}
