from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

if TYPE_CHECKING:
    from tests.emulator.clients import Clients


def test_a_new_group_is_201_and_an_updated_one_200(azure: Clients) -> None:
    statuses = []

    def note(response: object) -> None:
        statuses.append(response.http_response.status_code)  # type: ignore[attr-defined]

    for _ in range(2):
        azure.resources.resource_groups.create_or_update("g", {"location": "westeurope"}, raw_response_hook=note)
    assert statuses == [201, 200]


def test_a_location_may_be_spelt_either_way(azure: Clients) -> None:
    group = azure.resources.resource_groups.create_or_update("g", {"location": "West Europe"})
    assert group.location == "westeurope"


@pytest.mark.parametrize(
    ("location", "code"), [("atlantis", "LocationNotAvailableForResourceGroup"), ("", "LocationRequired")]
)
def test_a_wrong_location_is_refused(azure: Clients, location: str, code: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        azure.resources.resource_groups.create_or_update("g", {"location": location})
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == code


def test_a_group_cannot_move(azure: Clients) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
    with pytest.raises(HttpResponseError) as refused:
        azure.resources.resource_groups.create_or_update("g", {"location": "eastus"})
    assert refused.value.status_code == 409


def test_groups_are_filtered_by_tag(azure: Clients) -> None:
    for name, team in (("one", "a"), ("two", "b")):
        azure.resources.resource_groups.create_or_update(name, {"location": "eastus", "tags": {"team": team}})
    found = azure.resources.resource_groups.list(filter="tagName eq 'team' and tagValue eq 'b'")
    assert [group.name for group in found] == ["two"]


def test_existence_is_told_without_a_body(azure: Clients) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": "eastus"})
    assert azure.resources.resource_groups.check_existence("G")
    assert not azure.resources.resource_groups.check_existence("other")


def test_a_deleted_group_is_gone_and_deleting_it_again_is_404(azure: Clients) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": "eastus"})
    azure.resources.resource_groups.begin_delete("g").result()
    with pytest.raises(ResourceNotFoundError) as missing:
        azure.resources.resource_groups.begin_delete("g")
    assert missing.value.error is not None
    assert missing.value.error.code == "ResourceGroupNotFound"


def test_deleting_a_group_deletes_what_is_in_it(azure: Clients) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": "eastus"})
    disk: Any = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}}
    azure.compute.disks.begin_create_or_update("g", "d", disk).result()
    azure.resources.resource_groups.begin_delete("g").result()
    assert list(azure.resources.resources.list()) == []
    assert list((azure.cloud.state / "disks").iterdir()) == []


def test_a_list_by_tag_leaves_the_tags_out(azure: Clients) -> None:
    azure.resources.resource_groups.create_or_update("g", {"location": "eastus"})
    properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}
    for name, tags in (("tagged", {"run": "1"}), ("plain", {})):
        disk: Any = {"location": "eastus", "tags": tags, "properties": properties}
        azure.compute.disks.begin_create_or_update("g", name, disk).result()
    found = list(azure.resources.resources.list(filter="tagName eq 'run' and tagValue eq '1'"))
    assert [(item.name, item.tags) for item in found] == [("tagged", None)]
    assert {item.name: item.tags for item in azure.resources.resources.list()}["tagged"] == {"run": "1"}
