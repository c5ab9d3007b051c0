"""What a scale set shows of itself: its body, its instance view, the sizes it may have. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator import arm_errors
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.guest_agent.extensions import extensions_of
from verified_images.emulator.compute.machines.application_profiles import with_application_defaults
from verified_images.emulator.compute.machines.instance_view import provisioning_status
from verified_images.emulator.compute.scale_sets.health import healths_of, watches_health
from verified_images.emulator.compute.scale_sets.instances import instances_of
from verified_images.emulator.compute.scale_sets.model import is_flexible
from verified_images.emulator.compute.shown_since import SCALE_SETS, SCALE_SETS_OF_IMAGES, as_of, with_agent_updates
from verified_images.emulator.compute.sizes import SIZES
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.lifecycle import check_group_exists
from verified_images.emulator.locations import normalize_location
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_SMALLEST_SKU, _LARGEST_SKU = 0, 1000
_TYPE = "Microsoft.Compute/virtualMachineScaleSets"


def routes(item: str) -> Iterator[Route]:
    """Give the routes of the views under the pattern of a scale set."""
    yield Route("GET", item + "/instanceView", _get_instance_view)
    yield Route("GET", item + "/skus", _list_skus)
    place = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/virtualMachineScaleSets"
    yield Route("GET", place, _list_in_location)


def scale_set_of(cloud: Cloud, request: Request) -> Resource:
    """Give the scale set that a call under its pattern is about.

    Raises:
        ArmError: 404: the group or the scale set does not exist.
    """
    identifier = ResourceId(
        request.parameters["subscription"],
        request.parameters["group"],
        "Microsoft.Compute",
        ("virtualMachineScaleSets",),
        (request.parameters["name"],),
    )
    check_group_exists(cloud, identifier)
    scale_set = cloud.store.find(identifier)
    if scale_set is None:
        raise arm_errors.resource_not_found(identifier)
    return scale_set


def shown_scale_set(scale_set: Resource, request: Request) -> dict[str, Any]:
    """Give a scale set's body as an api-version shows it; with ``$expand=userData`` its user data too."""
    version, properties = request.api_version, dict(scale_set.properties)
    if profile := properties.get("virtualMachineProfile"):
        properties["virtualMachineProfile"] = profile = dict(with_application_defaults(profile))
        if system := profile.get("osProfile"):
            profile["osProfile"] = with_agent_updates(system, version, scale_set.location)
        user_data = scale_set.hidden.get("secrets", {}).get("userData")
        if user_data and request.query.get("$expand", "").lower() == "userdata":
            profile["userData"] = user_data
    storage = (properties.get("virtualMachineProfile") or {}).get("storageProfile") or {}
    since = SCALE_SETS_OF_IMAGES if (storage.get("imageReference") or {}).get("id") else SCALE_SETS
    return as_of({**scale_set.body, "properties": properties}, version, since)


def _get_instance_view(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    if is_flexible(scale_set):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Operation 'VirtualMachineScaleSets.instanceView.GET' is not allowed on Virtual Machine Scale Set "
            f"'{scale_set.id.name}' since its orchestration mode is 'Flexible'.",
        )
    instances = instances_of(cloud, scale_set)
    codes = [f"ProvisioningState/{instance.state.lower()}" for instance in instances]
    view: dict[str, Any] = {"virtualMachine": {"statusesSummary": summary(codes)}}
    if watches_health(scale_set):
        health = [f"HealthState/{how}" for how in healths_of(cloud, scale_set, instances)]
        view["virtualMachine"]["statusesSummary"] += summary(health)
    if extensions := _extension_summaries(cloud, instances):
        view["extensions"] = extensions
    view["statuses"] = [provisioning_status(scale_set.state)]
    if (scale_set.properties.get("automaticRepairsPolicy") or {}).get("enabled"):
        state = "Suspended" if scale_set.hidden.get("repairs_suspended") else "Running"
        view["orchestrationServices"] = [{"serviceName": "AutomaticRepairs", "serviceState": state}]
    return Answer(200, view)


def _extension_summaries(cloud: Cloud, instances: list[Resource]) -> list[dict[str, Any]]:
    codes: dict[str, list[str]] = {}
    for instance in instances:
        for extension in extensions_of(cloud, instance):
            codes.setdefault(extension.id.name, []).append(f"ProvisioningState/{extension.state.lower()}")
    return [{"name": name, "statusesSummary": summary(found)} for name, found in codes.items()]


def summary(codes: list[str]) -> list[dict[str, Any]]:
    """Count equal status codes as an instance view shows them."""
    return [{"code": code, "count": codes.count(code)} for code in sorted(set(codes))]


def _list_skus(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    capacity = {"minimum": _SMALLEST_SKU, "maximum": _LARGEST_SKU, "defaultCapacity": 1, "scaleType": "Automatic"}
    generation = scale_set.hidden.get("generation")
    found = [
        {
            "resourceType": _TYPE,
            "sku": {"name": size.name, "tier": size.name.partition("_")[0]},
            "capacity": dict(capacity),
        }
        for size in SIZES.values()
        if generation is None or generation in size.generations
    ]
    return page(cloud, request, found)


def _list_in_location(cloud: Cloud, request: Request) -> Answer:
    wanted = normalize_location(request.parameters["location"])
    found = [each for each in cloud.store.select(_TYPE) if each.location == wanted]
    return page(cloud, request, [shown_scale_set(each, request) for each in found])
