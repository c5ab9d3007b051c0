"""Operations of Resource Manager itself, polled under ``/operationresults``: a name for the job, in base 64."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.operations import IN_PROGRESS
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.operations import Started


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/operationresults/{operation}", _poll)


def job_url(request: Request, kind: str, started: Started, location: str) -> str:
    """Give the URL under which an operation is polled; ``kind`` is what Azure calls such jobs."""
    job = {"jobId": f"{kind}-{started.key}", "jobLocation": location}
    token = base64.urlsafe_b64encode(json.dumps(job).encode()).decode().rstrip("=")
    subscription = request.parameters["subscription"]
    return f"{request.base_url}/subscriptions/{subscription}/operationresults/{token}?api-version={request.api_version}"


def _poll(cloud: Cloud, request: Request) -> Answer:
    token = request.parameters["operation"]
    try:
        job = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        document = cloud.operations.find(job["jobId"].partition("-")[2])
    except (ValueError, KeyError, AttributeError, TypeError):
        document = None
    if document is None:
        raise ArmError(404, "NotFound", f"The operation '{token}' was not found.")
    if document["status"] == IN_PROGRESS:
        url = f"{request.base_url}{request.path}?api-version={request.api_version}"
        return Answer(202, None, {"Location": url})
    if "error" in document:
        return Answer(document["errorStatus"], {"error": document["error"]})
    return Answer(200, document.get("output"))
