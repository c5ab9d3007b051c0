"""One ARM call and its answer, apart from the web server that carries them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.relaxed_json import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from verified_images.emulator.fault_rules import FaultRule


@dataclass(frozen=True, slots=True)
class Request:
    """A call as a handler sees it.

    ``parameters`` are the values of the route's placeholders, ``query`` has lower-case keys, ``headers``
    lower-case names, ``client`` is the caller's IP address and ``caller`` the claims of its token. ``dispatch``
    answers another request in the caller's name. ``raw_path`` is the path as it was sent, ``fault`` the rule that
    strikes the call.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    base_url: str
    client: str
    caller: Mapping[str, Any]
    dispatch: Callable[[Request], Answer] | None = None
    raw_path: str = ""
    fault: FaultRule | None = None

    @property
    def api_version(self) -> str:
        """The ``api-version`` of the call."""
        return self.query.get("api-version", "")

    @property
    def id(self) -> ResourceId:
        """The id of the resource that the path names; an action or a list after it is left out."""
        parts = self.path.strip("/").split("/")
        if len(parts) > 4 and len(parts) % 2:  # noqa: PLR2004 - longer than a group's id, and no name at its end
            parts = parts[:-1]
        if len(parts) == 6:  # noqa: PLR2004 - a list at the group: /subscriptions/S/resourceGroups/G/providers/NS
            parts = parts[:4]
        return ResourceId.parse("/".join(parts))

    def call(self, method: str, target: str, body: Any = None) -> Answer:  # noqa: ANN401 - any JSON value
        """Make another call in the name of the same caller; ``target`` is a path or a URL with its query.

        Raises:
            ArmError: the call is refused.
        """
        if self.dispatch is None:
            raise RuntimeError("this request did not come through the application")
        parts = urlsplit(target)
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        headers = {name: value for name, value in self.headers.items() if not name.startswith("if-")}
        content = b"" if body is None else json.dumps(body).encode()
        return self.dispatch(
            replace(self, method=method, path=unquote(parts.path), query=query, headers=headers, content=content)
        )

    def json(self) -> dict[str, Any]:
        """Give the body as an object.

        Raises:
            ArmError: 400 InvalidRequestContent: there is no body, or it is not a JSON object.
        """
        try:
            body = read_json(self.content)
        except (ValueError, RecursionError) as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error
        if not isinstance(body, dict):
            raise ArmError(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'a JSON object is expected'.",
            )
        return body


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file that is sent as it is: ``length`` bytes from ``start`` on."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back.

    ``body`` is JSON, raw bytes or a part of a file (both with a content type in ``headers``), or None for an empty one.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def inner_request(identifier: ResourceId, body: dict[str, Any], version: str) -> Request:
    """Give the PUT by which a resource is made as part of what else is done, where there is no client."""
    parameters = {"subscription": identifier.subscription, "group": identifier.group, "name": identifier.name}
    return Request(
        "PUT", str(identifier), parameters, {"api-version": version}, {}, json.dumps(body).encode(), "", "", {}
    )
