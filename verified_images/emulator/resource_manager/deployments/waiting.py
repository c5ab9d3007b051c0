"""Calls that a deployment makes, waited for to their end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.wire import Answer, Request

_SHORTEST, _LONGEST = 0.01, 0.25


class OperationFailedError(Exception):
    """A long-running operation ended badly; ``error`` is its error on the wire."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.error = error


def call_and_wait(
    request: Request,
    method: str,
    target: str,
    body: Any = None,  # noqa: ANN401 - any JSON value
    stopped: Callable[[], bool] = lambda: False,
) -> Answer:
    """Make a call in the caller's name and wait until the operation that it begins has ended.

    Raises:
        ArmError: the call is refused.
        OperationFailedError: the operation failed.
    """
    answer = request.call(method, target, body)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    status_url = headers.get("azure-asyncoperation")
    result_url = headers.get("location") if answer.status == 202 else None  # noqa: PLR2004 - Accepted
    pause = _SHORTEST
    while (status_url or result_url) and not stopped():
        poll = request.call("GET", str(status_url or result_url))
        if _has_ended(poll, by_status=bool(status_url)):
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)
    return answer


def _has_ended(poll: Answer, *, by_status: bool) -> bool:
    if not by_status:
        if poll.status >= 400:  # noqa: PLR2004 - refusals
            raise OperationFailedError(dict(poll.body["error"]))
        return poll.status != 202  # noqa: PLR2004 - Accepted
    status = poll.body.get("status")
    if status in {"Failed", "Canceled"}:
        raise OperationFailedError(dict(poll.body.get("error") or {"code": status, "message": f"It has {status}."}))
    return bool(status == "Succeeded")
