"""Virtual machine scale sets, uniform and flexible. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.machines.guests import set_power
from verified_images.emulator.compute.scale_sets import actions, extension_routes, upgrade_routes, views
from verified_images.emulator.compute.scale_sets.automatic_upgrades import keep_upgraded
from verified_images.emulator.compute.scale_sets.instance_routes import instance_routes
from verified_images.emulator.compute.scale_sets.instances import add_instances, instances_of, remove_instances
from verified_images.emulator.compute.scale_sets.model import is_flexible, new_scale_set, updated_scale_set
from verified_images.emulator.compute.scale_sets.repairs import watch
from verified_images.emulator.compute.scale_sets.rolling_upgrades import note_interrupted, upgrade_all
from verified_images.emulator.compute.scale_sets.scale_in import leaving_order
from verified_images.emulator.lifecycle import Kind, Style, set_state
from verified_images.emulator.operations import COMPUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Route
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/virtualMachineScaleSets"


class ScaleSets(Kind):
    """Microsoft.Compute/virtualMachineScaleSets."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, etag="counter", retry_write=10, retry_delete=10)
    slow_write: ClassVar[bool] = True
    slow_delete: ClassVar[bool] = True
    noun: ClassVar[str] = "VMScaleSet"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.SCALE_SETS

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a scale set's views, actions and instances."""
        item = self.collection_pattern() + "/{name}"
        yield from views.routes(item)
        yield from actions.routes(item)
        yield from upgrade_routes.routes(item)
        yield from extension_routes.routes(item)
        yield from instance_routes(item)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the model against image, size, network and quota, and fill in the defaults."""
        if existing:
            return updated_scale_set(cloud, request, existing, body)
        return new_scale_set(cloud, request, body)

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Add or remove instances until there are as many as the capacity says."""
        if resource.properties.get("virtualMachineProfile"):
            self._reach_capacity(cloud, resource)
            watch(cloud, resource.id)
            keep_upgraded(cloud, resource.id)
        with cloud.store.changing(resource.id) as found:
            if found and not found.hidden.get("made"):
                found.hidden |= {"made": True, "placement_group": str(uuid.uuid4())}
                if not is_flexible(found):
                    self.stamp(found)

    def _reach_capacity(self, cloud: Cloud, resource: Resource) -> None:
        wanted = int(resource.body["sku"]["capacity"])
        present = [each for each in instances_of(cloud, resource) if each.state != "Deleting"]
        if len(present) > wanted:
            remove_instances(cloud, leaving_order(resource, present)[: len(present) - wanted])
        if resource.properties["upgradePolicy"]["mode"] != "Manual":
            upgrade_all(cloud, resource)
        if len(present) < wanted:
            add_instances(cloud, resource, wanted - len(present))

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Let go of all instances, some of which may be being made."""
        for instance in instances_of(cloud, resource):
            set_state(cloud, instance.id, "Deleting")
            cloud.hypervisor.stop(instance.hidden["guest"], graceful=False)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while virtual machines belong to a scale set that made none of them."""
        if resource.properties.get("virtualMachineProfile"):
            return
        for machine in instances_of(cloud, resource):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Virtual Machine Scale Set '{resource.id.name}' cannot be deleted since VM '{machine.id.name}' "
                "belongs to it. Delete the VMs of the Virtual Machine Scale Set first.",
            )

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Remove all instances."""
        remove_instances(cloud, instances_of(cloud, resource))

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that the instances' guests are gone, and that whatever was done on them did not come to its end."""
        for instance in [] if is_flexible(resource) else instances_of(cloud, resource):
            if instance.hidden.get("power") not in {"stopped", "deallocated"}:
                set_power(cloud, instance, "stopped")
            if instance.state != "Succeeded":
                set_state(cloud, instance.id, "Failed")
        note_interrupted(cloud, resource.id)
        watch(cloud, resource.id)
        keep_upgraded(cloud, resource.id)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the scale set as the request's api-version shows it; with ``$expand=userData`` that too."""
        del cloud
        return views.shown_scale_set(resource, request)
