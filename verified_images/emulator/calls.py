"""A call, from who may make it to its answer: what Azure Resource Manager does before a provider sees it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.actions import Action, action_of
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.locks import check_locks
from verified_images.emulator.authorization.permissions import check_permission
from verified_images.emulator.fault_answers import refusal
from verified_images.emulator.identity import check_token
from verified_images.emulator.locations import LOCATIONS, normalize_location
from verified_images.emulator.resource_manager.providers import check_registered
from verified_images.emulator.routing import Route
from verified_images.emulator.storage.blob_service import as_storage_answers, find_call
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_service import BlobCall
    from verified_images.emulator.wire import Request

_API_VERSION = re.compile(r"20(1[4-9]|2\d)-\d\d-\d\d(-[a-z]+)?")
_WITHHELD_SECONDS = 300.0
_ACCEPTED = 202


class ConnectionDropped(Exception):  # noqa: N818 - not an error of ours, but what a rule asks for
    """The connection is to be reset after ``seconds``, without an answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the connection is dropped after {seconds} s")
        self.seconds = seconds


def answer_call(cloud: Cloud, request: Request) -> Answer:
    """Authenticate a call, then carry it out.

    Raises:
        ArmError: the call is refused.
        ConnectionDropped: it is to go without an answer.
    """
    if call := find_call(cloud, request):
        return _answer_blob_call(cloud, request, call)
    looked_up = "GET" if request.method == "HEAD" and not cloud.routes.has("HEAD", request.path) else request.method
    route, parameters = cloud.routes.match(looked_up, request.path)
    if route.anonymous:
        request = replace(request, parameters=parameters)
        return _strike(cloud, route, request, Action("Microsoft.Entra/tokens/action", "Microsoft.Entra/tokens", ""))
    return carry_out(cloud, request, check_token(cloud.account, request.headers, request.base_url))


def _answer_blob_call(cloud: Cloud, request: Request, call: BlobCall) -> Answer:
    route = Route(request.method, request.path, call.answer, anonymous=True)
    try:
        return _strike(cloud, route, request, call.action_of(request))
    except ArmError as error:
        return as_storage_answers(error)


def carry_out(cloud: Cloud, request: Request, caller: Mapping[str, Any]) -> Answer:
    """Do what an authenticated caller asks for, whether it came over the wire or is part of a larger operation.

    Raises:
        ArmError: the call is refused.
        ConnectionDropped: it is to go without an answer.
    """
    if request.method == "HEAD" and not cloud.routes.has("HEAD", request.path):
        return _look(cloud, request, caller)
    route, parameters = cloud.routes.match(request.method, request.path)

    def call_again(other: Request) -> Answer:
        return carry_out_within(cloud, other, caller)

    request = replace(request, parameters=parameters, caller=caller, dispatch=call_again, fault=None)
    action = action_of(request.method, request.path)
    if route.unversioned:
        check_permission(cloud, caller, replace(action, scope=f"/subscriptions/{cloud.account.subscription_id}"))
        return route.handler(cloud, request)
    _check_api_version(request, route)
    _check_subscription(cloud, parameters.get("subscription"))
    check_permission(cloud, caller, action)
    check_registered(cloud, request.method, action)
    check_locks(cloud, request.method, action)
    return _strike(cloud, route, request, action)


def _look(cloud: Cloud, request: Request, caller: Mapping[str, Any]) -> Answer:
    """Answer the HEAD of a resource by its GET: 204, or 404 without a body, which Resource Manager knows by itself."""
    _, parameters = cloud.routes.match("GET", request.path)
    if parameters.get("name") and cloud.store.find(request.path) is None:
        _check_subscription(cloud, parameters.get("subscription"))
        return Answer(404, None, {"x-ms-failure-cause": "gateway"})
    carry_out(cloud, replace(request, method="GET"), caller)
    return Answer(204)


def carry_out_within(cloud: Cloud, request: Request, caller: Mapping[str, Any]) -> Answer:
    """Do what a larger operation needs done; where a fault rule drops a connection there is none to drop.

    Raises:
        ArmError: the call is refused, or got no answer.
    """
    try:
        return carry_out(cloud, request, caller)
    except ConnectionDropped as dropped:
        raise ArmError(504, "GatewayTimeout", "The gateway did not receive a response in time.") from dropped


def _strike(cloud: Cloud, route: Route, request: Request, action: Action) -> Answer:
    """Carry a call out unless a fault rule strikes it."""
    cloud.statistics.note_call(request.path, action.name)
    rule = cloud.faults.on_call(request.method, action, request.headers.get("user-agent", ""))
    if rule is None:
        return _scaled(cloud, route.handler(cloud, request))
    request = replace(request, fault=rule)
    error = refusal(rule, request, action)
    dropped = rule.fault in {"reset", "timeout"}
    if error is None and not dropped:
        return _scaled(cloud, route.handler(cloud, request))
    if rule.carried_out:
        route.handler(cloud, replace(request, fault=None))
    if error:
        raise error
    default = _WITHHELD_SECONDS if rule.fault == "timeout" else 0.0
    raise ConnectionDropped(default if rule.seconds is None else rule.seconds)


def _scaled(cloud: Cloud, answer: Answer) -> Answer:
    """Give an answer with the wait that the next poll is told, at the scale of the timing."""
    timing = cloud.operations.timing
    is_operation = "Azure-AsyncOperation" in answer.headers
    if timing.wait is not None and (is_operation or answer.status == _ACCEPTED):
        return replace(answer, headers={**answer.headers, "Retry-After": str(timing.wait)})
    wait = answer.headers.get("Retry-After", "")
    if not wait.isdigit() or not is_operation:
        return answer
    scaled = timing.retry_after(int(wait))
    headers = {name: value for name, value in answer.headers.items() if name != "Retry-After"}
    return replace(answer, headers=headers | ({"Retry-After": scaled} if scaled else {}))


def _check_api_version(request: Request, route: Route) -> None:
    version = request.query.get("api-version")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _API_VERSION.fullmatch(version) or version[:10] > datetime.now(UTC).date().isoformat():
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    if route.versions and version not in route.versions:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{_location_in(request.content)}' and API version "
            f"'{version}' for type '{route.type.partition('/')[2]}'. The supported api-versions are "
            f"'{', '.join(route.versions)}'. The supported locations are '{', '.join(LOCATIONS)}'.",
        )


def _location_in(content: bytes) -> str:
    try:
        location = json.loads(content or b"{}").get("location")
    except (ValueError, AttributeError):
        location = None
    return normalize_location(location) if isinstance(location, str) else "*"


def _check_subscription(cloud: Cloud, subscription: str | None) -> None:
    if subscription is not None and subscription.lower() != cloud.account.subscription_id:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
