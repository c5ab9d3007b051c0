"""What Azure does not have: the calls by which users set faults and read statistics, ``{endpoint}/local/...``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from verified_images.emulator.actions import Action
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.permissions import check_permission
from verified_images.emulator.fault_rules import FaultRuleError, make_rule, read_rules
from verified_images.emulator.identity.applications import (
    ApplicationError,
    list_applications,
    make_application,
    read_application,
    remove_application,
    thumbprint,
)
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.identity.applications import Application

_FAULTS = "/local/faults"
_STATISTICS = "/local/statistics"
_APPLICATIONS = "/local/applications"


def routes() -> Iterator[Route]:
    """Give the URL table: rules and applications are listed, added to and removed, rules replaced too."""
    yield Route("GET", _FAULTS, _list, unversioned=True)
    yield Route("PUT", _FAULTS, _replace, unversioned=True)
    yield Route("POST", _FAULTS, _add, unversioned=True)
    yield Route("DELETE", _FAULTS, _clear, unversioned=True)
    yield Route("DELETE", _FAULTS + "/{name}", _remove, unversioned=True)
    yield Route("GET", _STATISTICS, _count, unversioned=True)
    yield Route("DELETE", _STATISTICS, _count_anew, unversioned=True)
    yield Route("GET", _APPLICATIONS, _list_applications, unversioned=True)
    yield Route("POST", _APPLICATIONS, _add_application, unversioned=True)
    yield Route("DELETE", _APPLICATIONS + "/{name}", _remove_application, unversioned=True)


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


def _count(cloud: Cloud, request: Request) -> Answer:
    del request
    return Answer(200, cloud.statistics.describe())


def _count_anew(cloud: Cloud, request: Request) -> Answer:
    cloud.statistics.reset()
    return _count(cloud, request)


# Applications.


def _list_applications(cloud: Cloud, request: Request) -> Answer:
    del request
    return Answer(200, {"applications": [_describe(each) for each in list_applications(cloud)]})


def _describe(application: Application) -> dict[str, Any]:
    return {
        "name": application.name,
        "client_id": application.client_id,
        "object_id": application.object_id,
        "certificates": [thumbprint(pem) for pem in application.certificates],
        "federated": [each.model_dump(mode="json", exclude={"keys"}) for each in application.federated],
    }


def _add_application(cloud: Cloud, request: Request) -> Answer:
    """Make an application; only who may give roles can, since it may come with any."""
    scope = f"/subscriptions/{cloud.account.subscription_id}"
    check_permission(cloud, request.caller, Action("Microsoft.Authorization/roleAssignments/write", "", scope))
    try:
        application, secret = make_application(cloud, read_application(request.json()))
    except ApplicationError as error:
        raise ArmError(400, "InvalidApplication", f"The application cannot be made: {error}.") from error
    return Answer(201, {**_describe(application), "client_secret": secret})


def _remove_application(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    if not remove_application(cloud, name):
        raise ArmError(404, "NotFound", f"There is no application '{name}' that could be removed.")
    return Answer(204)


def _bad_request(error: Exception) -> ArmError:
    return ArmError(400, "InvalidFaultRule", f"The fault rules cannot be used: {error}.")
