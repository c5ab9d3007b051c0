"""ARM ids and versions."""

from __future__ import annotations

import pytest

from verified_images.cloud.ids import is_inside, parse_id, resource_id, same_id
from verified_images.cloud.versions import latest_version, next_version

NIC = resource_id("s", "g", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines", "ss", "3")


def test_an_id_is_made_and_taken_apart() -> None:
    assert NIC == (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/ss/virtualMachines/3"
    )
    parsed = parse_id(NIC.replace("resourceGroups", "RESOURCEGROUPS"))
    assert (parsed.subscription, parsed.group, parsed.names, parsed.name) == ("s", "g", ("ss", "3"), "3")


@pytest.mark.parametrize("text", ["", "/subscriptions/s", "/subscriptions/s/resourceGroups/g", NIC + "/x", "a/b"])
def test_other_text_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id"):
        parse_id(text)


def test_case_does_not_matter() -> None:
    assert same_id(NIC, NIC.upper())
    assert is_inside(NIC, "/SUBSCRIPTIONS/S/resourcegroups/G")
    assert not is_inside(NIC, "/subscriptions/s/resourceGroups/g2")
    assert not is_inside(NIC, NIC)


@pytest.mark.parametrize(
    ("versions", "latest", "following"),
    [
        ([], None, "1.0.0"),
        (["1.0.9", "1.0.10"], "1.0.10", "1.0.11"),
        (["2.0.0", "10.1.2", "9.9.9"], "10.1.2", "10.1.3"),
        (["draft", "0.0.1"], "0.0.1", "0.0.2"),
    ],
)
def test_versions_are_compared_by_their_numbers(versions: list[str], latest: str | None, following: str) -> None:
    assert latest_version(versions) == latest
    assert next_version(versions) == following
