"""How the compute provider speaks: headers, bodies, api-versions, and paths in any case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.emulator.compute.estate import LOCATION

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json


def _gallery(estate: Estate, **options: str) -> Json:
    return estate.call("PUT", "galleries/gallery", {"location": LOCATION}, **options)


def test_bodies_are_indented_and_errors_too(estate: Estate) -> None:
    answer = _gallery(estate, api_version="2024-03-03")
    assert answer.text.startswith('{\r\n  "name": "gallery",\r\n')
    assert answer.text == json.dumps(answer.json(), indent=2).replace("\n", "\r\n")
    refused = estate.call("PUT", "virtualMachines/vm", {"location": LOCATION})
    assert refused.text.startswith('{\r\n  "error": {\r\n    "code": "InvalidParameter"')


def test_what_the_gateway_says_is_compact(estate: Estate) -> None:
    answer = estate.call("GET", "virtualMachines/vm")
    assert answer.text.startswith('{"error": {"code": "ResourceNotFound"')
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert "x-ms-ratelimit-remaining-resource" not in answer.headers


def test_the_etag_stands_in_a_header_too(estate: Estate) -> None:
    estate.make_machine()
    answer = estate.call("GET", "virtualMachines/vm")
    assert answer.headers["ETag"] == answer.json()["etag"]


def test_a_machine_is_changed_only_as_the_conditions_allow(estate: Estate) -> None:
    body = estate.machine_body(estate.make_nic())
    assert estate.call("PUT", "virtualMachines/vm", body, headers={"If-Match": "*"}).status_code == 412
    estate.compute.virtual_machines.begin_create_or_update("g", "vm", body).result()
    assert estate.call("PUT", "virtualMachines/vm", body, headers={"If-None-Match": "*"}).status_code == 412
    assert estate.call("PUT", "virtualMachines/vm", body, headers={"If-Match": '"99"'}).status_code == 412


def test_calls_tell_how_many_more_are_allowed(estate: Estate) -> None:
    estate.make_machine()
    read = estate.call("GET", "virtualMachines/vm").headers
    assert read["x-ms-ratelimit-remaining-resource"].split(";")[0] == "Microsoft.Compute/LowCostGetSubscriptionMaximum"
    assert "x-ms-ratelimit-remaining-subscription-global-reads" in read
    written = estate.call("POST", "virtualMachines/vm/deallocate").headers
    assert written["azure-asyncnotification"] == "Enabled"
    assert "x-ms-ratelimit-remaining-subscription-writes" in written


def test_an_operation_tells_when_it_began_and_ended(estate: Estate) -> None:
    answer = estate.call("PUT", "virtualMachines/vm", estate.machine_body(estate.make_nic()))
    assert (answer.status_code, answer.headers["Retry-After"]) == (201, "10")
    url = answer.headers["Azure-AsyncOperation"]
    status = estate.call("GET", url).json()
    assert list(status) == ["startTime", "status", "name"] or "endTime" in status
    estate.compute.virtual_machines.begin_reapply("g", "vm").result()
    done = estate.call("GET", url)
    assert list(done.json()) == ["startTime", "endTime", "status", "name"]
    assert "Retry-After" not in done.headers
    assert done.json()["name"] in url
    assert estate.call("GET", url.replace("&s=", "&s=x")).status_code == 404


@pytest.mark.parametrize(
    ("path", "version", "kind"),
    [
        ("virtualMachines", "2024-07-02", "virtualMachines"),
        ("virtualMachines/vm/start", "2024-03-02", "virtualMachines"),
        ("disks", "2024-07-01", "disks"),
        ("galleries/gallery/images/definition/versions", "2024-07-01", "galleries/images/versions"),
    ],
)
def test_an_api_version_that_a_type_does_not_have_is_refused(
    estate: Estate, path: str, version: str, kind: str
) -> None:
    answer = estate.call("POST" if path.endswith("start") else "GET", path, api_version=version)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "NoRegisteredProviderFound")
    assert (
        f"for location '*' and API version '{version}' for type '{kind}'. The supported api-versions"
        in error["message"]
    )


@pytest.mark.parametrize("version", ["", "2024", "2099-01-01"])
def test_an_api_version_that_is_none_is_refused(estate: Estate, version: str) -> None:
    assert estate.call("GET", "virtualMachines", api_version=version).status_code == 400


def test_paths_and_queries_are_read_in_any_case(estate: Estate) -> None:
    estate.make_machine()
    path = estate.id("virtualMachines", "vm")
    for spelling in (path.upper(), path.lower(), path.replace("/resourceGroups/", "/resourcegroups/")):
        answer = estate.call("GET", f"{spelling}?$EXPAND=INSTANCEVIEW")
        assert answer.status_code == 200
        assert answer.json()["id"] == path
        assert "instanceView" in answer.json()["properties"]
    assert estate.call("POST", f"{path}/POWEROFF").status_code == 202
    assert estate.call("POST", f"{path}/poweroff").status_code == 202


def test_a_disk_s_first_answer_is_what_was_sent(estate: Estate) -> None:
    body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    answer = estate.call("PUT", "disks/d", body).json()
    assert answer["properties"] == {**body["properties"], "provisioningState": "Updating"}  # type: ignore[dict-item]
    assert "sku" not in answer
    older = estate.call("PUT", "disks/e?api-version=2022-07-02", body).json()
    assert older["properties"]["isArmResource"] is True
    assert "type" not in older


def test_a_machine_is_not_reimaged(estate: Estate) -> None:
    estate.make_machine()
    answer = estate.call("POST", "virtualMachines/vm/reimage", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OperationNotAllowed")
