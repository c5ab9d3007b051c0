"""The URL table: which handler answers which call.

A pattern is written as in Azure's OpenAPI files (``/subscriptions/{subscription}/resourceGroups/{group}``);
literal segments match without regard to case. ``{scope}`` at the beginning is the id of a subscription, group or
resource.
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

_SCOPE = "{scope}"
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
        self._on_scopes: list[tuple[tuple[str, ...], Route]] = []
        for route in routes:
            segments = tuple(route.pattern.strip("/").split("/"))
            if segments[0] == _SCOPE:
                self._on_scopes.append((segments[1:], route))
                continue
            self._by_length[len(segments)].append((segments, route))
        for candidates in (*self._by_length.values(), self._on_scopes):
            candidates.sort(key=lambda candidate: [segment.startswith("{") for segment in candidate[0]])

    def has(self, method: str, path: str) -> bool:
        """Tell whether a call has a route of its own."""
        try:
            self.match(method, path)
        except ArmError:
            return False
        return True

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Find the route of a call and the values of its placeholders; literals win over placeholders.

        Raises:
            ArmError: 404 when no route has the path, 405 when none has the method.
        """
        segments = path.strip("/").split("/")
        other_methods = False
        for pattern, route in (*self._by_length.get(len(segments), ()), *self._on_scopes):
            values = _bind_on_scope(pattern, segments) if route.pattern.startswith(_SCOPE) else _bind(pattern, segments)
            if values is not None and route.method == method:
                return route, values
            other_methods = other_methods or values is not None
        if other_methods:
            raise ArmError(405, "MethodNotAllowed", f"The http method '{method}' is not supported for a resource here.")
        raise _unknown_path(segments)


def _unknown_path(segments: list[str]) -> ArmError:
    keys = [segment.lower() for segment in segments]
    last = len(keys) - 1 - keys[::-1].index("providers") if "providers" in keys else len(keys)
    kind = "/".join(segments[last + 2 :: 2])
    where = f"'{kind}' could not be found in the namespace '{segments[last + 1]}'" if kind else "could not be found"
    message = f"The resource type {where} for the path '/{'/'.join(segments)}'."
    return ArmError(404, "InvalidResourceType", message, headers={"x-ms-failure-cause": "gateway"})


def _bind_on_scope(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    scope, rest = segments[: -len(pattern)], segments[-len(pattern) :]
    values = _bind(pattern, rest) if scope else None
    return None if values is None else {"scope": "/" + "/".join(scope), **values}


def _bind(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    values = {}
    for expected, actual in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            values[expected[1:-1]] = actual
        elif expected.lower() != actual.lower():
            return None
    return values
