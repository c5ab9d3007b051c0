from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.emulator import FaultRuleError, load_rules
from verified_images.emulator.actions import action_of
from verified_images.emulator.fault_rules import make_rule

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/build-1"


def write(folder: Path, text: str) -> Path:
    path = folder / "faults.yaml"
    path.write_text(text)
    return path


def test_a_file_of_rules_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "faults:\n  - {fault: throttled, method: put, nth: 2, times: always, retry_after: 7}\n")
    (rule,) = load_rules(path)
    assert (rule.fault, rule.method, rule.nth, rule.times, rule.retry_after) == ("throttled", "put", 2, "always", 7)


def test_json_is_read_too(tmp_path: Path) -> None:
    (rule,) = load_rules(write(tmp_path, '[{"fault": "reset"}]'))
    assert rule.fault == "reset"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "faults:\n  - fault: reset\n  - fault: trottled\n",
            ":3: there is no fault 'trottled'; did you mean 'throttled'?",
        ),
        (
            "- fault: reset\n- {fault: reset, metod: GET}\n",
            ":2: a fault rule has no field 'metod'; did you mean 'method'?",
        ),
        ("- {method: GET}\n", ":1: a fault rule needs the field 'fault'"),
        ("- {fault: reset, nth: 0}\n", ":1: the field 'nth' cannot be 0"),
        ("- {fault: refused, status: 200}\n", ":1: the field 'status' cannot be 200"),
        ("- reset\n", ":1: a fault rule is an object with at least the field 'fault'"),
        ("fault: reset\n", "a list of fault rules is expected"),
        ("- {fault: [\n", "faults.yaml:2: "),
        ("- {fault: reset, name: a}\n- {fault: reset, name: a}\n", "two fault rules have the name 'a'"),
        ("", "a list of fault rules is expected"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(FaultRuleError) as refused:
        load_rules(write(tmp_path, text))
    assert complaint in str(refused.value)
    assert "faults.yaml" in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultRuleError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"method": "put", "type": "microsoft.compute/virtualmachines", "resource": "BUILD-*"}, True),
        ({"operation": "Microsoft.Compute/*/write"}, True),
        ({"resource": MACHINE[:-1] + "*"}, True),
        ({"method": "GET"}, False),
        ({"resource": "other"}, False),
        ({"type": "Microsoft.Network/*"}, False),
    ],
)
def test_a_rule_is_about_the_calls_that_its_patterns_match(fields: dict[str, str], *, about: bool) -> None:
    rule = make_rule({"fault": "refused", **fields})
    assert rule.is_about("PUT", action_of("PUT", MACHINE)) is about


@pytest.mark.parametrize(
    ("fault", "method", "about"),
    [("in_use", "DELETE", True), ("in_use", "PUT", False), ("operation_failed", "GET", False), ("reset", "GET", True)],
)
def test_a_rule_without_a_method_is_about_what_can_happen(fault: str, method: str, *, about: bool) -> None:
    assert make_rule({"fault": fault}).is_about(method, action_of(method, MACHINE)) is about


def test_a_rule_strikes_from_the_nth_call_on_as_often_as_it_says() -> None:
    rule = make_rule({"fault": "reset", "nth": 2, "times": 3})
    assert [rule.is_due(seen) for seen in range(1, 7)] == [False, True, True, True, False, False]
