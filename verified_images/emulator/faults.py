"""The faults that are set: which rule a call, a boot or a replication falls under, and how often each has struck."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.actions import action_of
from verified_images.emulator.fault_rules import FaultRule, FaultRuleError, make_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from verified_images.emulator.actions import Action
    from verified_images.emulator.ids import ResourceId

_ENTRA = "microsoft.entra/"
_ON_RESOURCES = {"never_boots", "evicted", "replication_failed"}


@dataclass(slots=True)
class _Kept:
    """A rule, how many calls it was about (``seen``) and how many of them it has hit."""

    rule: FaultRule
    seen: int = 0
    hit: int = 0


class Faults:
    """The rules of one local Azure, in the order in which they were added; the first that is due strikes."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self.replace(rules)

    def add(self, rule: FaultRule | None = None, **fields: Any) -> str:  # noqa: ANN401 - the fields of FaultRule
        """Add a rule, given as such or by its fields, and give its name (one is made where it has none).

        Raises:
            FaultRuleError: the fields make no rule, or the name is taken.
        """
        rule = rule or make_rule(fields)
        with self._lock:
            name = rule.name or next(
                name for number in range(1, len(self._kept) + 2) if (name := f"fault-{number}") not in self._kept
            )
            if name in self._kept:
                raise FaultRuleError(f"there is a fault rule '{name}' already; remove it first, or choose another name")
            self._kept[name] = _Kept(rule.model_copy(update={"name": name}))
        return name

    def replace(self, rules: Iterable[FaultRule]) -> None:
        """Let these rules be all that there are."""
        with self._lock:
            self._kept = {}
        for rule in rules:
            self.add(rule)

    def remove(self, name: str) -> bool:
        """Remove a rule and tell whether there was one; an operation that it keeps from ending goes on."""
        with self._lock:
            return self._kept.pop(name, None) is not None

    def clear(self) -> None:
        """Remove all rules."""
        self.replace(())

    def holds(self, name: str) -> bool:
        """Tell whether a rule is still there."""
        with self._lock:
            return name in self._kept

    def describe(self) -> list[dict[str, Any]]:
        """Give the rules as written, each with the numbers of calls ``seen`` and ``hit``."""
        with self._lock:
            return [
                {**kept.rule.model_dump(exclude_defaults=True), "seen": kept.seen, "hit": kept.hit}
                for kept in self._kept.values()
            ]

    def on_call(self, method: str, action: Action, user_agent: str = "") -> FaultRule | None:
        """Give the rule that strikes a client's call; one on tokens strikes only if it names their type."""

        def is_hit(rule: FaultRule) -> bool:
            if action.type.lower().startswith(_ENTRA) and not rule.type.lower().startswith(_ENTRA):
                return False
            return rule.is_about(method, action, user_agent)

        return self._strike(lambda rule: rule.fault not in _ON_RESOURCES and is_hit(rule))

    def on_resource(self, fault: str, resource: ResourceId, region: str = "") -> FaultRule | None:
        """Give the rule by which ``fault`` (``never_boots``, ``evicted``, ``replication_failed``) strikes a resource.

        ``region`` is the name of the region that an image version is replicated to.
        """
        action = action_of("PUT", str(resource))
        return self._strike(
            lambda rule: (
                rule.fault == fault
                and rule.is_about_resource(action.type, action.scope)
                and rule.is_about_region(region)
            )
        )

    def _strike(self, is_about: Callable[[FaultRule], bool]) -> FaultRule | None:
        struck = None
        with self._lock:
            for kept in self._kept.values():
                if not is_about(kept.rule):
                    continue
                kept.seen += 1
                if struck is None and kept.rule.is_due(kept.seen):
                    kept.hit += 1
                    struck = kept.rule
        return struck
