"""Rules by which the local Azure misbehaves, as users write them.

A rule says which calls it is about, and what happens to them::

    faults:
      - fault: throttled                     # what happens: one of the names in ``FaultName``
        method: PUT                          # which calls: every pattern is a glob, without regard to case
        type: Microsoft.Compute/virtualMachines
        resource: build-*                    # the resource's name, or its whole id when it begins with "/"
        operation: Microsoft.Compute/virtualMachines/write
        user_agent: "*packer*"               # whose calls: what the client calls itself
        nth: 2                               # the first call that is hit, counted among those that match (1)
        times: 3                             # how many are hit from there on (1), or "always"
        retry_after: 5                       # particulars of the fault

The same in JSON; a list of rules without ``faults:`` around it will do.

==================== ====================================================================================
fault                what happens, and its particulars
==================== ====================================================================================
refused              the call is answered with ``status`` (500), ``code`` and ``message``
throttled            429 in its provider's words, with ``retry_after`` seconds (5)
reset                the connection is reset; with ``carried_out: true`` after the call was carried out
timeout              no answer comes for ``seconds`` (300), then the connection is reset; ``carried_out`` as above
operation_failed     the long-running operation ends Failed with ``code`` and ``message``
operation_canceled   the long-running operation ends Canceled
operation_stuck      the long-running operation never ends, until its resource is deleted or the rule is removed
never_boots          a machine's guest is not started; its operation ends with OSProvisioningTimedOut after ``seconds``
no_capacity          ``code`` AllocationFailed (default), ZonalAllocationFailed, OverconstrainedAllocationRequest (the
                     operation ends Failed) or SkuNotAvailable (the call is refused)
quota_exceeded       the call is refused since the regional vCPU quota is used up
evicted              a spot machine is evicted ``seconds`` (0) after it has booted, as its eviction policy says
replication_failed   a gallery image version is not replicated to ``region`` (``*``: a glob)
in_use               a deletion is refused, in the words of the type, since another resource uses the resource
policy_denied        403 RequestDisallowedByPolicy by the assignment ``policy``
==================== ====================================================================================

Without ``method`` a rule is about the calls that its fault can happen to: writes and actions for what ends an
operation, deletions for ``in_use``, every call for ``refused``, ``throttled``, ``reset`` and ``timeout``.
``never_boots`` and ``evicted`` are counted by boots of machines (scale-set instances too), ``replication_failed`` by
regions; ``method`` and ``operation`` say nothing about those.
"""

from __future__ import annotations

import difflib
import io
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from verified_images.emulator.actions import Action

FaultName = Literal[
    "refused",
    "throttled",
    "reset",
    "timeout",
    "operation_failed",
    "operation_canceled",
    "operation_stuck",
    "never_boots",
    "no_capacity",
    "quota_exceeded",
    "evicted",
    "replication_failed",
    "in_use",
    "policy_denied",
]

_EVERY_CALL = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
_CHANGES = ("PUT", "PATCH", "POST", "DELETE")
_METHODS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("refused", "throttled", "reset", "timeout"), _EVERY_CALL),
    **dict.fromkeys(("operation_failed", "operation_canceled", "operation_stuck"), _CHANGES),
    **dict.fromkeys(("no_capacity", "quota_exceeded"), ("PUT", "PATCH", "POST")),
    "policy_denied": ("PUT", "PATCH"),
    "in_use": ("DELETE",),
}
_TYPES = {
    "no_capacity": "Microsoft.Compute/virtualMachine*",
    "quota_exceeded": "Microsoft.Compute/virtualMachine*",
}


class FaultRuleError(ValueError):
    """A rule, or a file of rules, that cannot be used; the text says where and why."""


class FaultRule(BaseModel):
    """One rule; see the module for the meaning of its fields. ``retry_after`` and ``seconds`` are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    fault: FaultName
    name: str = ""
    method: str = ""
    type: str = ""
    resource: str = "*"
    operation: str = "*"
    user_agent: str = "*"
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1)] | Literal["always"] = 1
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: str = ""
    message: str = ""
    retry_after: Annotated[int, Field(ge=0)] | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None
    carried_out: bool = False
    region: str = "*"
    policy: str = "deny"

    def is_about(self, method: str, action: Action, user_agent: str = "") -> bool:
        """Tell whether the rule is about a call of this client."""
        methods = (self.method.upper(),) if self.method else _METHODS.get(self.fault, ())
        return (
            any(_matches(method, wanted) for wanted in methods)
            and _matches(action.name, self.operation)
            and _matches(user_agent, self.user_agent)
            and self.is_about_resource(action.type, action.scope)
        )

    def is_about_resource(self, type_name: str, identifier: str) -> bool:
        """Tell whether the rule is about a resource, whatever is done to it."""
        named = identifier if self.resource.startswith("/") else identifier.rpartition("/")[2]
        return _matches(type_name, self.type or _TYPES.get(self.fault, "*")) and _matches(named, self.resource)

    def is_about_region(self, region: str) -> bool:
        """Tell whether the rule is about a region, by name."""
        return _matches(region, self.region.replace(" ", ""))

    def is_due(self, seen: int) -> bool:
        """Tell whether the ``seen``-th call that the rule is about is hit."""
        return seen >= self.nth and (self.times == "always" or seen < self.nth + self.times)


def _matches(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def make_rule(fields: dict[str, Any], place: str = "") -> FaultRule:
    """Make a rule of its fields.

    Raises:
        FaultRuleError: a field is unknown, missing or has a value that it cannot have.
    """
    try:
        return FaultRule.model_validate(fields)
    except ValidationError as error:
        raise FaultRuleError("; ".join(_explain(each, place) for each in error.errors())) from error


def _explain(error: Any, place: str) -> str:  # noqa: ANN401 - pydantic's own dictionary
    name = str(error["loc"][0]) if error["loc"] else ""
    prefix = f"{place}: " if place else ""
    if error["type"] == "extra_forbidden":
        return f"{prefix}a fault rule has no field '{name}'{_nearest(name, FaultRule.model_fields)}"
    if error["type"] == "missing":
        return f"{prefix}a fault rule needs the field '{name}'"
    if name == "fault":
        return f"{prefix}there is no fault '{error['input']}'{_nearest(str(error['input']), get_args(FaultName))}"
    return f"{prefix}the field '{name}' cannot be {error['input']!r}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _nearest(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name[:100], list(names), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""


def read_rules(content: Any, place: str = "", lines: Sequence[int] = ()) -> list[FaultRule]:  # noqa: ANN401 - any JSON
    """Make the rules of a document: a list of rules, or an object whose ``faults`` is one.

    ``place`` is the file that the document comes from, ``lines`` the first line of each rule in it.

    Raises:
        FaultRuleError: the document is no such thing, a rule cannot be used, or two have the same name.
    """
    if isinstance(content, dict) and set(content) == {"faults"}:
        content = content["faults"]
    where = f"{place}: " if place else ""
    if not isinstance(content, list):
        raise FaultRuleError(f"{where}a list of fault rules is expected, or an object whose only key is 'faults'")
    rules = []
    for index, fields in enumerate(content):
        at = f"{place}:{lines[index]}" if lines else f"rule {index + 1}"
        if not isinstance(fields, dict):
            raise FaultRuleError(f"{at}: a fault rule is an object with at least the field 'fault'")
        rules.append(make_rule({str(key): value for key, value in fields.items()}, at))
    names = [rule.name for rule in rules if rule.name]
    if len(names) != len(set(names)):
        twice = next(name for name in names if names.count(name) > 1)
        raise FaultRuleError(f"{where}two fault rules have the name '{twice}'")
    return rules


def load_rules(path: Path) -> list[FaultRule]:
    """Read a file of rules, YAML or JSON.

    Raises:
        FaultRuleError: naming file and line: it cannot be read, or holds something else.
    """
    try:
        document = YAML(typ="rt").load(io.StringIO(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise FaultRuleError(f"{path}: the fault rules cannot be read: {error}") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise FaultRuleError(f"{path}{line}: {getattr(error, 'problem', None) or error}") from error
    rules = document.get("faults") if isinstance(document, dict) else document
    lines = [rules.lc.item(index)[0] + 1 for index in range(len(rules))] if isinstance(rules, CommentedSeq) else []
    return read_rules(json.loads(json.dumps(document, default=str)), str(path), lines)
