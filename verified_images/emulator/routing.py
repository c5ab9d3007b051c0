"""The URL table: which handler answers which call.

A pattern is written as in Azure's OpenAPI files (``/subscriptions/{subscription}/resourceGroups/{group}``);
literal segments match without regard to case.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Answer, Request

    Handler = Callable[[Cloud, Request], Answer]

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the URL table. ``anonymous`` calls need no token and no api-version, ``unversioned`` ones a token.

    ``type`` is the resource type that a call works on, and ``versions`` the api-versions that it has; where there are
    none, any date will do.
    """

    method: str
    pattern: str
    handler: Handler
    anonymous: bool = False
    type: str = ""
    versions: tuple[str, ...] = ()
    unversioned: bool = False


class Routes:
    """All routes, found by number of segments first."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = defaultdict(list)
        for route in routes:
            segments = tuple(route.pattern.strip("/").split("/"))
            self._by_length[len(segments)].append((segments, route))
        for candidates in self._by_length.values():
            candidates.sort(key=lambda candidate: [segment.startswith("{") for segment in candidate[0]])

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Find the route of a call and the values of its placeholders; literals win over placeholders.

        Raises:
            ArmError: 404 when no route has the path, 405 when none has the method.
        """
        segments = path.strip("/").split("/")
        other_methods = False
        for pattern, route in self._by_length.get(len(segments), ()):
            values = _bind(pattern, segments)
            if values is not None and route.method == method:
                return route, values
            other_methods = other_methods or values is not None
        if other_methods:
            raise ArmError(405, "MethodNotAllowed", f"The http method '{method}' is not supported for a resource here.")
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found for the path '/{'/'.join(segments)}'.",
        )


def _bind(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    values = {}
    for expected, actual in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            values[expected[1:-1]] = actual
        elif expected.lower() != actual.lower():
            return None
    return values
