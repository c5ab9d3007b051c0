"""The call that attaches and detaches data disks of a machine. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute.machines.disks import disk_id
from verified_images.emulator.compute.machines.guests import machine_size
from verified_images.emulator.compute.machines.operations import begin
from verified_images.emulator.compute.machines.storage import fill_data_disks
from verified_images.emulator.compute.machines.updates import apply_update
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

    Finder = Callable[[Cloud, ResourceId], Resource]


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the route of the call under ``item``; ``find`` gives the machine of an id."""
    yield Route("POST", item + "/attachDetachDataDisks", _changing(find))


def _changing(find: Finder) -> Handler:
    def change(cloud: Cloud, request: Request) -> Answer:
        body = request.json()
        with cloud.store.lock:
            machine = find(cloud, request.id)
            disks = _with_detached(machine, body.get("dataDisksToDetach") or [])
            disks += _attached(cloud, machine, disks, body.get("dataDisksToAttach") or [])
            machine.properties["storageProfile"]["dataDisks"] = disks
            machine.hidden["model_disks"] = []
            cloud.store.put(machine)
        return begin(cloud, request, machine, "attachDetachDataDisks", _apply)

    return change


def _with_detached(machine: Resource, leaving: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = {str(each.get("diskId") or "").lower() for each in leaving}
    disks = [dict(disk) for disk in machine.properties["storageProfile"].get("dataDisks") or []]
    if missing := wanted - {disk_id(disk).lower() for disk in disks}:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The disk '{min(missing)}' is not attached to VM '{machine.id.name}'.",
            target="dataDisksToDetach",
        )
    return [{**disk, "toBeDetached": disk_id(disk).lower() in wanted} for disk in disks]


def _attached(
    cloud: Cloud, machine: Resource, present: list[dict[str, Any]], coming: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    staying = [disk for disk in present if not disk["toBeDetached"]]
    taken = {int(disk["lun"]) for disk in staying}
    given = []
    for each in coming:
        if not each.get("diskId"):
            raise missing_parameter("dataDisksToAttach.diskId")
        lun = each.get("lun")
        if lun is None:
            lun = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(int(lun))
        chosen: dict[str, Any] = {
            key: each[key] for key in ("caching", "deleteOption", "writeAcceleratorEnabled") if key in each
        }
        given.append({"lun": int(lun), "createOption": "Attach", "managedDisk": {"id": each["diskId"]}, **chosen})
    filled = fill_data_disks(cloud, machine, [*staying, *given], find_size(machine_size(machine)))
    return filled[len(staying) :]


def _apply(cloud: Cloud, machine: Resource) -> dict[str, Any]:
    apply_update(cloud, machine)
    profile: dict[str, Any] = check_wanted(cloud, machine.id).properties["storageProfile"]
    return profile
