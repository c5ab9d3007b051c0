"""Groups of dedicated hosts and their hosts, which machines name. Source: Azure OpenAPI, ComputeRP; recorded exchanges.

A host here holds no machine apart from others: it is shown with the machines that are placed on it.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.machines.instance_view import provisioning_status
from verified_images.emulator.compute.settled_kind import SettledKind, check_range, check_unchanged, members_of
from verified_images.emulator.compute.shown_since import as_of
from verified_images.emulator.compute.sizes import SIZES
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

GROUP_TYPE = "Microsoft.Compute/hostGroups"
TYPE = "Microsoft.Compute/hostGroups/hosts"
_MACHINES = "Microsoft.Compute/virtualMachines"
_MOST_FAULT_DOMAINS = 3
_SINCE = (("2020-06-01", "properties.supportAutomaticPlacement"), ("2021-11-01", "properties.timeCreated"))
_FAMILY = re.compile(r"(?P<letter>[A-Z]+?)(?P<premium>S?)(?P<version>v\d+)?-Type(?P<number>\d)", re.IGNORECASE)
_TYPES = range(1, 5)
_CORES = 64


class HostGroups(SettledKind):
    """Microsoft.Compute/hostGroups."""

    type: ClassVar[str] = GROUP_TYPE
    style: ClassVar[Style] = Style(None, created=(201, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "Dedicated Host Group"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the number of fault domains, which stays."""
        del cloud
        properties = {"supportAutomaticPlacement": False, **(body.get("properties") or {})}
        properties.pop("hosts", None)
        if properties.get("platformFaultDomainCount") is None:
            raise missing_parameter("hostGroup.platformFaultDomainCount")
        check_range("platformFaultDomainCount", properties["platformFaultDomainCount"], 1, _MOST_FAULT_DOMAINS)
        check_unchanged(existing, properties, ("platformFaultDomainCount",))
        return Resource(request.id, {**body, "properties": properties})

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the group as the request's api-version shows it."""
        return as_of(super().render(cloud, resource, request), request.api_version, _SINCE)

    def members(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the hosts, if there are any."""
        hosts = [{"id": str(host.id)} for host in cloud.store.select(TYPE, under=resource.id)]
        return {"hosts": hosts} if hosts else {}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while the group has hosts."""
        if self.members(cloud, resource):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Dedicated Host Group '{resource.id.name}' cannot be deleted while it has hosts. Delete them first.",
            )


class Hosts(Kind):
    """Microsoft.Compute/hostGroups/hosts."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE)
    noun: ClassVar[str] = "Dedicated Host"
    tags_at_once: ClassVar[bool] = False
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a host's actions, and of the kinds of host that it may become."""
        item = self.collection_pattern() + "/{name}"
        for action in ("redeploy", "restart"):
            yield Route("POST", f"{item}/{action}", self._act)
        yield Route("GET", item + "/hostSizes", self._list_sizes)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check that the host is of a known kind, and give a new one its id."""
        del cloud
        if not (body.get("sku") or {}).get("name"):
            raise missing_parameter("sku.name")
        given = {key: value for key, value in (body.get("properties") or {}).items() if key != "virtualMachines"}
        made = {"hostId": str(uuid.uuid4()), "timeCreated": datetime.now(UTC).isoformat()}
        before = existing.properties if existing else made
        defaults = {"platformFaultDomain": 0, "autoReplaceOnFailure": True}
        check_unchanged(existing, given, ("platformFaultDomain",))
        return Resource(request.id, {**body, "properties": {**defaults, **given, **before, **_changeable(given)}})

    def settle(self, cloud: Cloud, resource: Resource) -> None:
        """Note when the host was there."""
        del cloud
        resource.properties.setdefault("provisioningTime", datetime.now(UTC).isoformat())

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the host; with ``$expand=instanceView`` what else fits on it, too."""
        more: dict[str, Any] = {}
        if request.method == "GET":
            more["virtualMachines"] = members_of(cloud, resource, _MACHINES, "host")
            if request.query.get("$expand", "").lower() == "instanceview":
                more["instanceView"] = _instance_view(resource)
        body = {**resource.body, "properties": {**resource.properties, **more}}
        return as_of(body, request.api_version, _SINCE)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while machines are on the host."""
        if members_of(cloud, resource, _MACHINES, "host"):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Dedicated Host '{resource.id.name}' cannot be deleted while it has VMs. Delete them first.",
            )

    def _act(self, cloud: Cloud, request: Request) -> Answer:
        host = self.find(cloud, request.id)
        action = request.path.rstrip("/").rpartition("/")[2]
        started = cloud.operations.start(
            request, f"{TYPE}/{action}/action", host.location, Work(lambda: None, on=host.id), track=COMPUTE
        )
        return Answer(200, None, started.status_header)

    def _list_sizes(self, cloud: Cloud, request: Request) -> Answer:
        family, _, own = str(self.find(cloud, request.id).body["sku"]["name"]).partition("-Type")
        return Answer(200, {"value": [f"{family}-Type{number}" for number in _TYPES if str(number) != own]})


def _changeable(given: dict[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in ("autoReplaceOnFailure", "licenseType") if key in given}


def _instance_view(host: Resource) -> dict[str, Any]:
    match = _FAMILY.fullmatch(host.body["sku"]["name"])
    series = rf"Standard_{match['letter']}\d+{match['premium'].lower()}(_{match['version']})?" if match else "-"
    fitting = [size for size in SIZES.values() if re.fullmatch(series, size.name, re.IGNORECASE)]
    return {
        "assetId": str(uuid.uuid5(uuid.NAMESPACE_URL, str(host.id))),
        "availableCapacity": {
            "allocatableVMs": [{"vmSize": size.name, "count": _CORES // size.cpus} for size in fitting]
        },
        "statuses": [
            provisioning_status(host.state),
            {"code": "HealthState/available", "level": "Info", "displayStatus": "Host available"},
        ],
    }
