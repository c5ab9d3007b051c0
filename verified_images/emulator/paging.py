"""Lists: ``value`` and, when there is more, ``nextLink``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator.cloud import Cloud

_MOST = 1000
_TOKEN = "$skiptoken"  # noqa: S105 - the name of a query parameter


def _top(request: Request) -> int:
    text = request.query.get("$top", "")
    if not text:
        return _MOST
    if not text.isdigit() or not int(text):
        raise ArmError(400, "InvalidTopInQueryString", f"The $top query parameter '{text}' is not a positive number.")
    return int(text)


def page(cloud: Cloud, request: Request, items: Sequence[Any]) -> Answer:
    """Answer a list call with its page of the items."""
    token = request.query.get(_TOKEN, "0")
    size = min(cloud.page_size, _top(request))
    if not token.isdigit():
        raise ArmError(400, "InvalidSkipToken", f"The provided {_TOKEN} '{token}' is not valid.")
    start, end = int(token), int(token) + size
    body: dict[str, Any] = {"value": list(items[start:end])}
    if end < len(items):
        query = dict(request.query) | {_TOKEN: str(end)}
        body["nextLink"] = f"{request.base_url}{request.path}?{urlencode(query)}"
    return Answer(200, body)
