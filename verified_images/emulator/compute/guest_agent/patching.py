"""Assessment and installation of a Linux machine's updates, by the package manager in its guest. Source: OpenAPI."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.compute.machines.operations import begin
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

    Finder = Callable[[Cloud, ResourceId], Resource]

_SECONDS = 4 * 3600
_LINE = re.compile(r"^Inst (\S+)(?: \[\S*\])? \((\S+)([^)]*)\)", re.MULTILINE)
_DURATION = re.compile(r"PT(\d+H)?(\d+M)?")


def routes(item: str, find: Finder) -> Iterator[Route]:
    """Give the routes of the calls under ``item``; ``find`` gives the machine of an id."""
    yield Route("POST", item + "/assessPatches", _calling("assessPatches", find, _assess))
    yield Route("POST", item + "/installPatches", _calling("installPatches", find, _install))


def _calling(action: str, find: Finder, work: Callable[[Cloud, Resource], dict[str, Any]]) -> Handler:
    def call(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if action == "installPatches":
            _check_input(request.json())
        if power_of(cloud, machine) != "running":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation '{action}' is not allowed on VM '{machine.id.name}' since the VM is not running.",
            )
        return begin(cloud, request, machine, action, work)

    return call


def _check_input(body: dict[str, Any]) -> None:
    if not body.get("rebootSetting"):
        raise missing_parameter("rebootSetting")
    if not _DURATION.fullmatch(str(body.get("maximumDuration") or "PT4H")):
        raise ArmError(
            400,
            "InvalidParameter",
            f"The value '{body['maximumDuration']}' of parameter 'maximumDuration' is no duration in ISO 8601.",
            target="maximumDuration",
        )


def _pending(cloud: Cloud, machine: Resource) -> list[dict[str, Any]]:
    outcome = cloud.hypervisor.run_command(machine.hidden["guest"], "apt-get -s -q upgrade 2>/dev/null", _SECONDS)
    found = []
    for name, version, origin in _LINE.findall(outcome.stdout):
        security = "security" in origin.lower()
        found.append(
            {
                "patchId": f"{name}_{version}",
                "name": name,
                "version": version,
                "classifications": ["Security" if security else "Other"],
                "rebootBehavior": "CanRequestReboot",
                "assessmentState": "Available",
            }
        )
    return found


def _assess(cloud: Cloud, machine: Resource) -> dict[str, Any]:
    started = datetime.now(UTC).isoformat()
    pending = _pending(cloud, machine)
    critical = sum(1 for patch in pending if patch["classifications"] == ["Security"])
    return {
        "status": "Succeeded",
        "assessmentActivityId": str(uuid.uuid4()),
        "rebootPending": _reboot_pending(cloud, machine),
        "criticalAndSecurityPatchCount": critical,
        "otherPatchCount": len(pending) - critical,
        "startDateTime": started,
        "availablePatches": pending,
    }


def _reboot_pending(cloud: Cloud, machine: Resource) -> bool:
    script = "test -e /run/reboot-required || test -e /var/run/reboot-required"
    return cloud.hypervisor.run_command(machine.hidden["guest"], script, _SECONDS).exit_code == 0


def _install(cloud: Cloud, machine: Resource) -> dict[str, Any]:
    started = datetime.now(UTC).isoformat()
    before = _pending(cloud, machine)
    script = "DEBIAN_FRONTEND=noninteractive apt-get -q -y upgrade >/dev/null 2>&1"
    cloud.hypervisor.run_command(machine.hidden["guest"], script, _SECONDS)
    left = {patch["patchId"] for patch in _pending(cloud, machine)}
    patches = [
        {
            **{key: patch[key] for key in ("patchId", "name", "version", "classifications")},
            "installationState": "Failed" if patch["patchId"] in left else "Installed",
        }
        for patch in before
    ]
    failed = sum(1 for patch in patches if patch["installationState"] == "Failed")
    return {
        "status": "Succeeded" if not failed else "CompletedWithWarnings",
        "installationActivityId": str(uuid.uuid4()),
        "rebootStatus": "Required" if _reboot_pending(cloud, machine) else "NotNeeded",
        "maintenanceWindowExceeded": False,
        "excludedPatchCount": 0,
        "notSelectedPatchCount": 0,
        "pendingPatchCount": 0,
        "installedPatchCount": len(patches) - failed,
        "failedPatchCount": failed,
        "startDateTime": started,
        "patches": patches,
    }
