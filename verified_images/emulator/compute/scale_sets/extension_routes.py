"""The extensions of a scale set's model, one by one. Source: Azure OpenAPI, ComputeRP.

They are no resources of their own: a change of one is a change of the model, which reaches the instances as the
upgrade policy says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.scale_sets.extensions import fill_extensions, run_extensions
from verified_images.emulator.compute.scale_sets.instances import instances_of
from verified_images.emulator.compute.scale_sets.policies import extensions_of
from verified_images.emulator.compute.scale_sets.rolling_upgrades import begin, protected, roll, upgrade_all
from verified_images.emulator.compute.scale_sets.upgrade_routes import start_upgrade, upgradable
from verified_images.emulator.compute.scale_sets.views import scale_set_of
from verified_images.emulator.lifecycle import check_wanted, set_state
from verified_images.emulator.merging import merge
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.paging import page
from verified_images.emulator.request_bodies import read_body
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.operations import Started
    from verified_images.emulator.store import Resource

TYPE = "Microsoft.Compute/virtualMachineScaleSets/extensions"


def routes(item: str) -> Iterator[Route]:
    """Give the routes under the pattern of a scale set."""
    yield Route("GET", item + "/extensions", _list)
    yield Route("GET", item + "/extensions/{extension}", _get)
    yield Route("PUT", item + "/extensions/{extension}", _put)
    yield Route("PATCH", item + "/extensions/{extension}", _put)
    yield Route("DELETE", item + "/extensions/{extension}", _delete)
    yield Route("POST", item + "/extensionRollingUpgrade", _start_upgrade)


def _profile(scale_set: Resource) -> dict[str, Any]:
    profile: dict[str, Any] = scale_set.properties.setdefault("virtualMachineProfile", {})
    return profile


def _shown(scale_set: Resource, extension: dict[str, Any]) -> dict[str, Any]:
    state = "Succeeded" if scale_set.state == "Succeeded" else scale_set.state
    return {
        "name": extension["name"],
        "id": str(scale_set.id.child("extensions", extension["name"])),
        "type": TYPE,
        "properties": {**extension["properties"], "provisioningState": state},
    }


def _find(scale_set: Resource, name: str) -> dict[str, Any] | None:
    return next((each for each in extensions_of(_profile(scale_set)) if each["name"].lower() == name.lower()), None)


def _list(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    return page(cloud, request, [_shown(scale_set, each) for each in extensions_of(_profile(scale_set))])


def _get(cloud: Cloud, request: Request) -> Answer:
    scale_set = scale_set_of(cloud, request)
    found = _find(scale_set, request.parameters["extension"])
    if found is None:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return Answer(200, _shown(scale_set, found))


def _put(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["extension"]
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        known = _find(scale_set, name)
        if request.method == "PATCH" and known is None:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        properties = dict(read_body(TYPE, request).get("properties") or {})
        properties.pop("provisioningState", None)
        secret = properties.pop("protectedSettings", None)
        if known is not None and request.method == "PATCH":
            properties = merge(known["properties"], properties)
        extension = {"name": known["name"] if known else name, "properties": properties}
        others = [each for each in extensions_of(_profile(scale_set)) if each is not known]
        _change_model(scale_set, [*others, extension])
        if secret is not None:
            scale_set.hidden["protected"] = {**scale_set.hidden.get("protected", {}), extension["name"]: secret}
        scale_set.properties["provisioningState"] = "Updating"
        cloud.store.put(scale_set)
        shown = _shown(scale_set, extension)
    shown["properties"]["provisioningState"] = "Updating" if known else "Creating"
    started = _start(cloud, request, scale_set, "write")
    return Answer(200 if known else 201, shown, started.status_header)


def _change_model(scale_set: Resource, extensions: list[dict[str, Any]]) -> None:
    profile = _profile(scale_set)
    profile["extensionProfile"] = {**(profile.get("extensionProfile") or {}), "extensions": extensions}
    fill_extensions(profile)
    scale_set.hidden["model"] = int(scale_set.hidden["model"]) + 1
    last = str(scale_set.body.get("etag", '"0"')).strip('"')
    scale_set.body["etag"] = f'"{int(last) + 1}"'


def _delete(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = scale_set_of(cloud, request)
        known = _find(scale_set, request.parameters["extension"])
        if known is None:
            return Answer(204)
        _change_model(scale_set, [each for each in extensions_of(_profile(scale_set)) if each is not known])
        scale_set.hidden.get("protected", {}).pop(known["name"], None)
        scale_set.properties["provisioningState"] = "Updating"
        cloud.store.put(scale_set)
    started = _start(cloud, request, scale_set, "delete")
    return Answer(202, None, started.status_header | started.location_header)


def _start(cloud: Cloud, request: Request, scale_set: Resource, verb: str) -> Started:
    def carry_out() -> None:
        now = check_wanted(cloud, scale_set.id)
        if now.properties["upgradePolicy"]["mode"] != "Manual":
            upgrade_all(cloud, now)

    def conclude(succeeded: bool) -> None:  # noqa: FBT001 - as operations call it
        found = cloud.store.find(scale_set.id)
        if found and found.state != "Deleting":
            set_state(cloud, scale_set.id, "Succeeded" if succeeded else "Failed")

    work = Work(carry_out, on=scale_set.id, conclude=conclude)
    return cloud.operations.start(request, f"{TYPE}/{verb}", scale_set.location, work, track=COMPUTE, slow=True)


def _start_upgrade(cloud: Cloud, request: Request) -> Answer:
    with cloud.store.lock:
        scale_set = upgradable(cloud, request)
        begin(cloud, scale_set.id, started_by="User")
    wanted = [each for each in instances_of(cloud, scale_set) if not protected(each)]

    def run_again(cloud: Cloud, instance: Resource) -> None:
        run_extensions(cloud, scale_set, instance, again=True)

    return start_upgrade(
        cloud, request, scale_set, "extensionRollingUpgrade", lambda: roll(cloud, scale_set.id, wanted, run_again)
    )
