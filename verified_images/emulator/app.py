"""The web application: from an HTTP request to a handler and back, with ARM's envelope around both."""

from __future__ import annotations

import json
import logging
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route as WebRoute

from verified_images.emulator.arm_errors import ArmError, unexpected
from verified_images.emulator.identity import check_token
from verified_images.emulator.locations import LOCATIONS, normalize_location
from verified_images.emulator.rate_limits import rate_limit_headers
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Route, Routes

logger = logging.getLogger(__name__)

_METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
_API_VERSION = re.compile(r"20(1[4-9]|2\d)-\d\d-\d\d(-[a-z]+)?")
_LARGEST_BODY = 4 * 1024 * 1024
_WITHOUT_BODY = {204, 304}


def make_app(cloud: Cloud, routes: Routes) -> Starlette:
    """Make the application that serves ``routes`` on ``cloud``."""

    async def answer(web: WebRequest) -> Response:
        content = await web.body()
        response = await run_in_threadpool(_handle, cloud, routes, web, content)
        response.headers.update(_tracking_headers(web))
        return response

    return Starlette(routes=[WebRoute("/{path:path}", answer, methods=_METHODS)])


def _handle(cloud: Cloud, routes: Routes, web: WebRequest, content: bytes) -> Response:
    try:
        return _respond(web, _dispatch(cloud, routes, web, content))
    except ArmError as error:
        return _respond(web, Answer(error.status, error.body(), error.headers))
    except Exception as error:
        logger.exception("%s %s failed", web.method, web.url.path)
        return _respond(web, Answer(500, unexpected(error).body()))


def _dispatch(cloud: Cloud, routes: Routes, web: WebRequest, content: bytes) -> Answer:
    if len(content) > _LARGEST_BODY:
        raise ArmError(
            413,
            "RequestContentTooLarge",
            f"The request content size exceeds the maximum of {_LARGEST_BODY} bytes.",
        )
    base_url = f"{web.url.scheme}://{web.url.netloc}"
    headers = {name.lower(): value for name, value in web.headers.items()}
    path = re.sub("/{2,}", "/", web.url.path)
    client = web.client.host if web.client else ""
    query = {name.lower(): value for name, value in web.query_params.items()}
    return dispatch(cloud, routes, Request(web.method, path, {}, query, headers, content, base_url, client, {}))


def dispatch(cloud: Cloud, routes: Routes, incoming: Request) -> Answer:
    """Answer a call of a client, or one that a handler makes in a client's name.

    Raises:
        ArmError: the call is refused.
    """
    route, parameters = routes.match(incoming.method, incoming.path)
    caller: Any = {}
    if not route.anonymous:
        caller = check_token(cloud.account, incoming.headers, incoming.base_url)
        _check_api_version(incoming.query.get("api-version"), route, incoming.content)
        _check_subscription(cloud, parameters.get("subscription"))

    def call_again(other: Request) -> Answer:
        return dispatch(cloud, routes, other)

    request = replace(incoming, parameters=parameters, caller=caller, dispatch=call_again)
    return route.handler(cloud, request)


def _check_api_version(version: str | None, route: Route, content: bytes) -> None:
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
            f"No registered resource provider found for location '{_location_in(content)}' and API version '{version}' "
            f"for type '{route.type.partition('/')[2]}'. The supported api-versions are '{', '.join(route.versions)}'. "
            f"The supported locations are '{', '.join(LOCATIONS)}'.",
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


def _respond(web: WebRequest, answer: Answer) -> Response:
    headers = dict(answer.headers)
    if headers.get("x-ms-failure-cause") != "gateway":
        headers |= rate_limit_headers(web.method, web.url.path)
    if answer.body is None or answer.status in _WITHOUT_BODY or web.method == "HEAD":
        return Response(status_code=answer.status, headers=headers)
    if isinstance(answer.body, bytes):
        return Response(answer.body, answer.status, headers)
    if isinstance(answer.body, dict) and isinstance(etag := answer.body.get("etag"), str) and _sends_etag(web):
        headers["ETag"] = etag
    indented = _is_indented(web, headers)
    text = json.dumps(answer.body, indent=2).replace("\n", "\r\n") if indented else json.dumps(answer.body)
    return Response(text, answer.status, headers, media_type="application/json; charset=utf-8")


def _sends_etag(web: WebRequest) -> bool:
    """Tell whether an answer has its etag as a header too; the network provider sends it with what is read alone."""
    by_network = "/providers/microsoft.network/" in web.url.path.lower()
    return web.method == "GET" or (web.method != "PATCH" and not by_network)


def _is_indented(web: WebRequest, headers: dict[str, str]) -> bool:
    """Tell whether the compute provider writes an answer, which it does in lines that end as on Windows."""
    path = web.url.path.lower()
    by_network = "/networkinterfaces" in path or "/publicipaddresses" in path
    return "/providers/microsoft.compute/" in path and not by_network and "x-ms-failure-cause" not in headers


def _tracking_headers(web: WebRequest) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    headers = {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": web.headers.get("x-ms-correlation-request-id", request_id),
        "x-ms-routing-request-id": f"LOCAL:{datetime.now(UTC):%Y%m%dT%H%M%SZ}:{request_id}",
    }
    if client_id := web.headers.get("x-ms-client-request-id"):
        headers["x-ms-client-request-id"] = client_id
    return headers
