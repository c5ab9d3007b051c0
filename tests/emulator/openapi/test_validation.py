"""That the answers of a local Azure are validated as a test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.openapi.operations import find_operation, is_documented
from tests.emulator.openapi.validation import FINDINGS
from verified_images.emulator.ids import ResourceId

if TYPE_CHECKING:
    from tests.emulator.clients import Clients

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not is_documented(), reason="Azure's OpenAPI files are not here"),
]
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"


@pytest.mark.parametrize("version", ["2024-07-01", "2026-04-01"])
def test_an_operation_is_found_for_documented_versions(version: str) -> None:
    operation = find_operation("PUT", MACHINE, version)
    assert operation is not None
    assert operation.request is not None
    assert operation.answer(201) is not None
    assert find_operation("PUT", MACHINE, "2019-03-01") is None


def test_an_answer_that_is_not_as_documented_is_noted(azure: Clients) -> None:
    validated = FINDINGS.validated
    azure.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
    assert FINDINGS.validated > validated
    assert FINDINGS.take() == []
    group = ResourceId(azure.cloud.account.subscription_id, "g")
    with azure.cloud.cloud.store.changing(group) as found:
        assert found is not None
        found.body |= {"nope": True, "location": 1}
    azure.resources.resource_groups.get("g")
    assert sorted(finding.partition("answer 200: ")[2] for finding in FINDINGS.take()) == [
        "$.location: 1 is no string",
        "$.nope: is no property",
    ]
