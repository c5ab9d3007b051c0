"""Gallery image versions as api-versions before 2019-07-01 write and show them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

VERSION = "galleries/gallery/images/definition/versions/1.0.0"
EARLY = "2019-03-01"


def test_the_source_belongs_to_the_publishing_profile(estate: Estate) -> None:
    estate.make_definition()
    estate.make_generalized()
    source = estate.id("virtualMachines", "vm")
    profile = {"source": {"managedImage": {"id": source}}, "replicaCount": 1, "targetRegions": [{"name": LOCATION}]}
    body = {"location": LOCATION, "properties": {"publishingProfile": profile}}

    made = estate.call("PUT", VERSION, body, api_version=EARLY)
    assert made.status_code == 201
    deadline = time.monotonic() + 60
    while estate.call("GET", made.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress":
        assert time.monotonic() < deadline

    shown = estate.call("GET", VERSION, api_version=EARLY).json()["properties"]
    assert shown["publishingProfile"]["source"] == {"managedImage": {"id": source}}
    assert set(shown["storageProfile"]) == {"osDiskImage"}
    assert "source" not in shown["storageProfile"]["osDiskImage"]
    today = estate.call("GET", VERSION).json()["properties"]
    assert today["storageProfile"]["source"] == {"id": source}
    assert "source" not in today["publishingProfile"]


@pytest.mark.parametrize("properties", [{}, {"publishingProfile": []}, {"publishingProfile": {"source": {}}}, 5])
def test_a_version_without_a_source_is_refused(estate: Estate, properties: Any) -> None:  # noqa: ANN401 - any JSON
    estate.make_definition()
    refused = estate.call("PUT", VERSION, {"location": LOCATION, "properties": properties}, api_version=EARLY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidParameter")
    assert refused.json()["error"]["target"] == "galleryImageVersion.properties.publishingProfile.source"
