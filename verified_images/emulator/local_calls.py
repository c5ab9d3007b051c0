"""What Azure does not have: the calls by which users set faults and read statistics, ``{endpoint}/local/...``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.fault_rules import FaultRuleError, make_rule, read_rules
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_FAULTS = "/local/faults"


def routes() -> Iterator[Route]:
    """Give the URL table: the rules are listed, replaced, added to and removed."""
    yield Route("GET", _FAULTS, _list, unversioned=True)
    yield Route("PUT", _FAULTS, _replace, unversioned=True)
    yield Route("POST", _FAULTS, _add, unversioned=True)
    yield Route("DELETE", _FAULTS, _clear, unversioned=True)
    yield Route("DELETE", _FAULTS + "/{name}", _remove, unversioned=True)


def _list(cloud: Cloud, request: Request) -> Answer:
    del request
    return Answer(200, {"faults": cloud.faults.describe()})


def _replace(cloud: Cloud, request: Request) -> Answer:
    try:
        rules = read_rules(json.loads(request.content or b"null"))
    except (ValueError, RecursionError) as error:
        raise _bad_request(error) from error
    cloud.faults.replace(rules)
    return _list(cloud, request)


def _add(cloud: Cloud, request: Request) -> Answer:
    try:
        cloud.faults.add(make_rule(request.json()))
    except FaultRuleError as error:
        raise _bad_request(error) from error
    return _list(cloud, request)


def _clear(cloud: Cloud, request: Request) -> Answer:
    cloud.faults.clear()
    return _list(cloud, request)


def _remove(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    if not cloud.faults.remove(name):
        raise ArmError(404, "NotFound", f"There is no fault rule '{name}'.")
    return _list(cloud, request)


def _bad_request(error: Exception) -> ArmError:
    return ArmError(400, "InvalidFaultRule", f"The fault rules cannot be used: {error}.")
