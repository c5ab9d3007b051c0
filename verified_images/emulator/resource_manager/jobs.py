"""Resource Manager's own long-running operations: answered 202 with a Location, polled under ``operationresults``.

Source: recorded deletions of groups and moves of resources.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.operations import IN_PROGRESS, Track
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.operations import Started, Work

DEPLOYMENT_DELETION = "DEPLOYMENTDELETIONJOB"
DELETION, MOVE = "RESOURCEGROUPDELETIONJOB", "RESOURCEBATCHMOVEJOB"
_TRACK = Track("Microsoft.Resources")
_KEY_LENGTH = 36


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions/{subscription}/operationresults/{operation}", _poll)


def start_job(  # noqa: PLR0913 - a job's facts
    cloud: Cloud,
    request: Request,
    kind: str,
    work: Work | Callable[[], Any],
    *,
    name: str,
    location: str,
    slow: bool,
) -> Answer:
    """Begin a job and answer its call; ``name`` is the operation as role definitions spell it."""
    started = cloud.operations.start(request, name, location, work, track=_TRACK, slow=slow)
    return answer_of_job(request, f"{kind}-{started.key}", location)


def job_url(request: Request, kind: str, started: Started, location: str) -> str:
    """Give the URL under which an operation is polled; ``kind`` is what Azure calls such jobs."""
    return _url(request, f"{kind}-{started.key}", location)


def answer_of_job(request: Request, job_id: str, location: str) -> Answer:
    """Give the 202 that tells where a job is polled."""
    return Answer(202, None, {"Location": _url(request, job_id, location)})


def _url(request: Request, job_id: str, location: str) -> str:
    text = json.dumps({"jobId": job_id, "jobLocation": location}, separators=(",", ":"))
    token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    url = f"{request.base_url}/subscriptions/{request.parameters['subscription']}/operationresults/{token}"
    return f"{url}?api-version={request.api_version}"


def key_of_job(answer: Answer) -> str:
    """Give the key of the operation whose job an answer tells of."""
    token = answer.headers["Location"].partition("?")[0].rpartition("/")[2]
    return _job_id(token)[-_KEY_LENGTH:]


def _job_id(token: str) -> str:
    return str(json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["jobId"])


def _poll(cloud: Cloud, request: Request) -> Answer:
    token = request.parameters["operation"]
    try:
        job_id = _job_id(token)
        document = cloud.operations.find(job_id[-_KEY_LENGTH:])
    except (ValueError, KeyError, TypeError):
        document, job_id = None, ""
    if document is None:
        raise ArmError(404, "NotFound", f"The operation '{token}' was not found.")
    if document["status"] == IN_PROGRESS:
        url = f"{request.base_url}{request.path}?api-version={request.api_version}"
        return Answer(202, None, {"Location": url})
    if "error" in document:
        return Answer(document["errorStatus"], {"error": document["error"]})
    if "output" in document:
        return Answer(200, document["output"])
    return Answer(204 if job_id.startswith((MOVE, DEPLOYMENT_DELETION)) else 200)
