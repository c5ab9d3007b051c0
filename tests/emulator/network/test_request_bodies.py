"""Bodies that the network provider cannot read, and the liberties that it allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.emulator.network.place import LOCATION

if TYPE_CHECKING:
    from tests.emulator.network.place import Place

VERSION = "2024-05-01"


def call(place: Place, method: str, path: str, body: Any = None, version: str = VERSION) -> requests.Response:  # noqa: ANN401 - any JSON value
    """Call the network provider in group ``g`` without the SDK, which sends no wrong bodies."""
    kind, name = path.split("/", 1)
    token = place.azure.credential.get_token(f"{place.azure.cloud.endpoint}/.default").token
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            f"{place.azure.cloud.endpoint}{place.id(kind, name)}?api-version={version}",
            data=json.dumps(body) if body is not None else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            verify=str(place.azure.cloud.ca_bundle),
            timeout=30,
        )


def network(**properties: object) -> dict[str, Any]:
    return {
        "location": LOCATION,
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, **properties},
    }


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (
            {"nope": 1},
            "Could not find member 'nope' on object of type 'VirtualNetworkProperties'. Path 'properties.nope', line 1",
        ),
        (
            {"subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24", "cidr": "x"}}]},
            "on object of type 'SubnetProperties'. Path 'properties.subnets[0].properties.cidr', line 1",
        ),
        ({"subnets": {}}, "to type 'List'. Path 'properties.subnets'"),
        ({"enableDdosProtection": "perhaps"}, "Error converting value \"perhaps\" to type 'System.Boolean'"),
        (
            {"encryption": {"enabled": True, "enforcement": "Never"}},
            "Csm.Public.Enforcement'. Path 'properties.encryption.enforcement'",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(place: Place, properties: dict[str, Any], words: str) -> None:
    answer = call(place, "PUT", "virtualNetworks/vnet", network(**properties))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "InvalidRequestFormat")
    assert error["message"] == "Cannot parse the request."
    assert error["details"][0]["code"] == "InvalidJson"
    assert words in error["details"][0]["message"]


def test_a_sub_resource_is_read_as_strictly(place: Place) -> None:
    place.make_network()
    body = {"properties": {"addressPrefix": "10.0.7.0/24", "mask": 24}}
    answer = call(place, "PUT", "virtualNetworks/vnet/subnets/new", body)
    assert answer.status_code == 400
    assert "on object of type 'SubnetProperties'" in answer.json()["error"]["details"][0]["message"]


def test_names_and_values_are_read_in_any_case_and_texts_as_what_they_say(place: Place) -> None:
    body = {
        "location": LOCATION,
        "SKU": {"Name": "standard"},
        "properties": {"PublicIPAllocationMethod": "static", "idletimeoutinminutes": "7"},
    }
    assert call(place, "PUT", "publicIPAddresses/ip", body).status_code == 201
    shown = call(place, "GET", "publicIPAddresses/ip").json()
    assert shown["sku"]["name"] == "Standard"
    assert shown["properties"]["publicIPAllocationMethod"] == "Static"
    assert shown["properties"]["idleTimeoutInMinutes"] == 7


def test_what_only_answers_have_is_ignored(place: Place) -> None:
    place.make_network()
    body = call(place, "GET", "virtualNetworks/vnet").json()
    body["properties"] |= {"resourceGuid": "mine", "provisioningState": "Failed"}
    assert call(place, "PUT", "virtualNetworks/vnet", body).status_code == 200
    after = call(place, "GET", "virtualNetworks/vnet").json()["properties"]
    assert after["resourceGuid"] != "mine"
    assert after["provisioningState"] == "Succeeded"


def test_a_patch_changes_tags_alone(place: Place) -> None:
    place.make_network()
    refused = call(place, "PATCH", "virtualNetworks/vnet", {"properties": {"enableDdosProtection": True}})
    assert refused.status_code == 400
    assert "'TagsObject'" in refused.json()["error"]["details"][0]["message"]
    tagged = call(place, "PATCH", "virtualNetworks/vnet", {"tags": {"team": "platform"}})
    assert (tagged.status_code, tagged.json()["tags"]) == (200, {"team": "platform"})
    assert tagged.headers["azure-asyncnotification"] == "Enabled"


def test_the_etag_is_a_header_of_what_is_read_and_not_of_writes(place: Place) -> None:
    written = call(place, "PUT", "virtualNetworks/vnet", network())
    assert "etag" not in written.headers
    read = call(place, "GET", "virtualNetworks/vnet")
    assert read.headers["etag"] == read.json()["etag"]


def test_an_api_version_that_the_type_does_not_have_is_refused(place: Place) -> None:
    answer = call(place, "GET", "virtualNetworks/vnet", version="2024-04-01")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "NoRegisteredProviderFound")
    assert "API version '2024-04-01' for type 'virtualNetworks'" in error["message"]
