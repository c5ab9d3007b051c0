"""The web application: from an HTTP request to a handler and back, with ARM's envelope around both."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as WebRoute

from verified_images.emulator.arm_errors import ArmError, unexpected
from verified_images.emulator.calls import ConnectionDropped, answer_call
from verified_images.emulator.rate_limits import rate_limit_headers
from verified_images.emulator.storage.blob_service import LARGEST_BODY, find_call
from verified_images.emulator.wire import Answer, FilePart, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request as WebRequest

    from verified_images.emulator.cloud import Cloud

logger = logging.getLogger(__name__)

_METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
_LARGEST_BODY = 4 * 1024 * 1024
_WITHOUT_BODY = {204, 304}
_CHUNK = 256 * 1024
_IS_STORAGE = "x-ms-version"  # on all answers of the blob service, and on none of Resource Manager's
_STORAGE_HEADERS = ("x-ms-request-id", "x-ms-client-request-id")


def make_app(cloud: Cloud) -> Starlette:
    """Make the application that serves ``cloud``; its ``state.drop`` resets the connection with a client's address."""

    async def answer(web: WebRequest) -> Response:
        content = await web.body()
        try:
            response = await run_in_threadpool(_handle, cloud, web, content)
        except ConnectionDropped as dropped:
            await asyncio.sleep(dropped.seconds)
            if web.client:
                web.app.state.drop(web.client)
            return Response(status_code=500)
        tracking = _tracking_headers(web)
        of_storage = _IS_STORAGE in response.headers
        response.headers.update(
            {name: tracking[name] for name in _STORAGE_HEADERS if name in tracking} if of_storage else tracking
        )
        return response

    app = Starlette(routes=[WebRoute("/{path:path}", answer, methods=_METHODS)])
    app.state.statistics = cloud.statistics
    return app


def _handle(cloud: Cloud, web: WebRequest, content: bytes) -> Response:
    try:
        request = _read(web, content)
        _check_size(cloud, request)
        return _respond(web, answer_call(cloud, request))
    except ConnectionDropped:
        raise
    except ArmError as error:
        return _respond(web, Answer(error.status, error.body(), error.headers))
    except Exception as error:
        logger.exception("%s %s failed", web.method, web.url.path)
        return _respond(web, Answer(500, unexpected(error).body()))


def _read(web: WebRequest, content: bytes) -> Request:
    path = re.sub("/{2,}", "/", web.url.path)
    headers = {name.lower(): value for name, value in web.headers.items()}
    query = {name.lower(): value for name, value in web.query_params.items()}
    client = web.client.host if web.client else ""
    return Request(
        web.method,
        path,
        {},
        query,
        headers,
        content,
        f"{web.url.scheme}://{web.url.netloc}",
        client,
        {},
        raw_path=web.scope["raw_path"].decode("ascii", errors="replace"),
    )


def _check_size(cloud: Cloud, request: Request) -> None:
    if len(request.content) > _LARGEST_BODY and not (
        len(request.content) <= LARGEST_BODY and find_call(cloud, request)
    ):
        raise ArmError(
            413,
            "RequestContentTooLarge",
            f"The request content size exceeds the maximum of {_LARGEST_BODY} bytes.",
        )


def _respond(web: WebRequest, answer: Answer) -> Response:
    headers = dict(answer.headers)
    web.app.state.statistics.note_answer(web.url.path, answer.status, headers)
    if _IS_STORAGE not in headers and headers.get("x-ms-failure-cause") != "gateway":
        headers |= rate_limit_headers(web.method, web.url.path)
    if answer.body is None or answer.status in _WITHOUT_BODY or web.method == "HEAD":
        return Response(status_code=answer.status, headers=headers)
    if isinstance(answer.body, FilePart):
        return StreamingResponse(_send(answer.body), answer.status, headers)
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


def _send(part: FilePart) -> Iterator[bytes]:
    with part.path.open("rb") as file:
        file.seek(part.start)
        left = part.length
        while left and (content := file.read(min(left, _CHUNK))):
            left -= len(content)
            yield content


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
