"""Which instances go when a scale set shrinks. Source: Azure, "Use custom scale-in policies"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource


def leaving_order(scale_set: Resource, present: list[Resource]) -> list[Resource]:
    """Give the instances (oldest first) in the order in which they go; protected ones are not among them.

    By default the zones are kept balanced and the newest instance goes first.

    Raises:
        ArmError: 409 OperationNotAllowed: too few are left when the protected ones stay.
    """
    free = [each for each in present if not _is_protected(each)]
    wanted = len(present) - int(scale_set.body["sku"]["capacity"])
    if len(free) < wanted:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Virtual Machine Scale Set '{scale_set.id.name}' cannot be scaled in to "
            f"{scale_set.body['sku']['capacity']} instances since {len(present) - len(free)} of its instances are "
            "protected from scale-in.",
        )
    rules = (scale_set.properties.get("scaleInPolicy") or {}).get("rules") or ["Default"]
    ordered = free if str(rules[0]).lower() == "oldestvm" else free[::-1]
    return _balanced(ordered, present)


def _balanced(ordered: list[Resource], present: list[Resource]) -> list[Resource]:
    counts: dict[str, int] = {}
    for each in present:
        counts[_zone(each)] = counts.get(_zone(each), 0) + 1
    rest, chosen = list(ordered), []
    while rest:
        going = max(rest, key=lambda each: counts[_zone(each)])
        counts[_zone(going)] -= 1
        rest.remove(going)
        chosen.append(going)
    return chosen


def _zone(instance: Resource) -> str:
    return str((instance.body.get("zones") or [""])[0])


def _is_protected(instance: Resource) -> bool:
    policy = instance.properties.get("protectionPolicy") or {}
    return bool(policy.get("protectFromScaleIn") or policy.get("protectFromScaleSetActions"))
