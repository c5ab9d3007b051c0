"""Lists of machines beyond those of every type: by location, by scale set, with states. Source: Azure OpenAPI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.locations import check_known_location
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

    Render = Callable[[Cloud, Resource, Request], dict[str, Any]]

_TYPE = "Microsoft.Compute/virtualMachines"
_FILTER = re.compile(r"\s*'virtualMachineScaleSet/id'\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def routes(render: Render) -> Iterator[Route]:
    """Give the route of the list by location; ``render`` shows a machine."""
    pattern = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/virtualMachines"
    yield Route("GET", pattern, lambda cloud, request: _list_in_location(cloud, request, render))


def _list_in_location(cloud: Cloud, request: Request, render: Render) -> Answer:
    location = check_known_location(request.parameters["location"])
    found = [machine for machine in cloud.store.select(_TYPE) if machine.location == location]
    return page(cloud, request, [render(cloud, machine, request) for machine in found])


def filtered(request: Request, answer: Answer) -> Answer:
    """Leave of a list what its ``$filter`` lets through: the machines of one scale set.

    Raises:
        ArmError: 400 BadRequest: the filter is another one.
    """
    text = request.query.get("$filter")
    if not text:
        return answer
    match = _FILTER.fullmatch(text)
    if match is None:
        raise ArmError(400, "BadRequest", f"The filter '{text}' is not supported.", target="$filter")
    wanted = match[1].strip("/").lower()
    machines = [machine for machine in answer.body["value"] if _scale_set_of(machine) == wanted]
    return Answer(answer.status, {**answer.body, "value": machines}, answer.headers)


def _scale_set_of(machine: dict[str, Any]) -> str:
    return str((machine["properties"].get("virtualMachineScaleSet") or {}).get("id", "")).strip("/").lower()
