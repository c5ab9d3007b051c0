"""What a call does, as role definitions spell it: ``Microsoft.Compute/virtualMachines/write`` on a scope.

Source: Azure Resource Manager, "Azure resource provider operations".
"""

from __future__ import annotations

from dataclasses import dataclass

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
_SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"
_GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
_GROUP_SEGMENTS = 4


@dataclass(frozen=True, slots=True)
class Action:
    """A call's operation: ``name`` with its verb, the ``type`` that it is on, and the id that it works on."""

    name: str
    type: str
    scope: str

    @property
    def resource(self) -> str:
        """The last name in the scope: what people call the resource."""
        return self.scope.rpartition("/")[2]


def action_of(method: str, path: str) -> Action:
    """Give the action of a call on a path; ``method`` is an HTTP method in upper case."""
    parts = [part for part in path.split("/") if part]
    keys = [part.lower() for part in parts]
    last = len(keys) - 1 - keys[::-1].index("providers") if "providers" in keys else -1
    if last >= 0 and last + 2 < len(parts):
        return _of_provider(method, parts, last)
    if last >= 0:
        return _of_providers(method, parts, last)
    if keys[:1] != ["subscriptions"]:
        return _make(method, "Microsoft.Resources/" + "/".join(parts[::2] or ["tenants"]), parts)
    if len(parts) >= _GROUP_SEGMENTS and keys[2] == "resourcegroups":
        return _with_rest(method, _GROUP_TYPE, parts, _GROUP_SEGMENTS)
    if keys[2:] == ["resourcegroups"]:
        return Action(f"{_GROUP_TYPE}/{_VERBS[method]}", _GROUP_TYPE, _join(parts[:2]))
    return _with_rest(method, _SUBSCRIPTION_TYPE, parts, 2)


def _of_provider(method: str, parts: list[str], last: int) -> Action:
    """``.../providers/NS/type/name[/type/name]``; an odd segment at the end is a list, or an action of a POST."""
    provider, rest = parts[last + 1], parts[last + 2 :]
    types = rest[::2]
    ended = len(rest) % 2 == 0
    if method == "POST" and not ended and len(types) > 1:
        kind = "/".join([provider, *types[:-1]])
        return Action(f"{kind}/{types[-1]}/action", kind, _join(parts[:-1]))
    kind = "/".join([provider, *types])
    scope = parts if ended else parts[:-1]
    if not ended and len(rest) == 1:
        scope = parts[:last]
    return Action(f"{kind}/{_VERBS[method]}", kind, _join(scope))


def _of_providers(method: str, parts: list[str], last: int) -> Action:
    if last + 1 == len(parts) or method != "POST":
        return Action(
            f"Microsoft.Resources/subscriptions/providers/{_VERBS[method]}",
            "Microsoft.Resources/providers",
            _join(parts[:last]),
        )
    return Action(f"{parts[last + 1]}/register/action", "Microsoft.Resources/providers", _join(parts[:last]))


def _with_rest(method: str, kind: str, parts: list[str], scope: int) -> Action:
    rest = parts[scope:]
    if not rest:
        return Action(f"{kind}/{_VERBS[method]}", kind, _join(parts))
    if method == "POST":
        return Action(f"{kind}/{'/'.join(rest)}/action", kind, _join(parts[:scope]))
    deeper = "/".join([kind, *rest[::2]])
    return Action(f"{deeper}/{_VERBS[method]}", deeper, _join(parts[:scope]))


def _make(method: str, kind: str, parts: list[str]) -> Action:
    return Action(f"{kind}/{_VERBS[method]}", kind, _join(parts))


def _join(parts: list[str]) -> str:
    return "/" + "/".join(parts)
