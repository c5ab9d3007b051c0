from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.images.gallery_image_versions import GalleryImageVersions
from verified_images.emulator.compute.images.publishing_profiles import fill_profile, is_latest_in, replication_status
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

VERSIONS = "galleries/gallery/images/definition/versions"


def _region(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": name, **more}


def _version(profile: dict[str, Any], **hidden: Any) -> Resource:  # noqa: ANN401 - JSON
    identifier = ResourceId("s", "g", "Microsoft.Compute", ("galleries", "images", "versions"), ("a", "b", "1.0.0"))
    return Resource(identifier, {"properties": {"publishingProfile": profile}}, hidden)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            {"targetRegions": [_region("eastus")]},
            "'eastus' must contain the location of image version 'West Eur",
        ),
        ({"targetRegions": [_region("westeurope"), _region("West Europe")]}, "Duplicate regions are not allowed"),
        ({"targetRegions": [_region("westeurope"), _region("atlantis")]}, "'atlantis' is not a valid Azure region"),
        ({"replicaCount": 101}, "must be between '1' and '100'"),
        ({"replicaCount": 2, "replicationMode": "Shallow"}, "Shallow replication has one replica"),
        ({"replicationMode": "Deep"}, "'Deep' is not Full or Shallow"),
        ({"storageAccountType": "UltraSSD_LRS"}, "'UltraSSD_LRS' is not one of"),
        ({"endOfLifeDate": "soon"}, "'soon' is not a date"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(profile: dict[str, Any], message: str) -> None:
    with pytest.raises(ArmError, match=message) as refused:
        fill_profile(profile, "westeurope", None)
    assert (refused.value.status, refused.value.code) == (400, "InvalidParameter")


def test_an_update_keeps_what_it_does_not_name() -> None:
    first = fill_profile({"replicaCount": 3, "endOfLifeDate": "2030-01-01T00:00:00Z"}, "westeurope", None)
    changed = fill_profile({"excludeFromLatest": True}, "westeurope", _version(first))
    assert changed == {**first, "excludeFromLatest": True}
    with pytest.raises(ArmError, match="cannot be changed"):
        fill_profile({"replicationMode": "Shallow"}, "westeurope", _version(first))


def test_a_region_may_be_excluded_from_latest() -> None:
    regions = [_region("westeurope"), _region("eastus", excludeFromLatest=True), _region("uksouth")]
    version = _version(
        fill_profile({"targetRegions": regions}, "westeurope", None), replicated=["westeurope", "eastus"]
    )
    assert [is_latest_in(version, name) for name in ("westeurope", "eastus", "uksouth")] == [True, False, False]


def test_the_status_tells_how_far_each_region_is() -> None:
    profile = fill_profile({"targetRegions": [_region("westeurope"), _region("eastus")]}, "westeurope", None)
    running = replication_status(_version(profile, replicated=["westeurope"]), 40)
    assert running["aggregatedState"] == "InProgress"
    assert [(each["state"], each["progress"]) for each in running["summary"]] == [
        ("Completed", 100),
        ("Replicating", 40),
    ]
    failed = replication_status(_version(profile, replicated=["westeurope"], unreplicated=["eastus"]), 0)
    assert (failed["aggregatedState"], failed["summary"][1]["state"]) == ("Failed", "Failed")


def test_a_running_replication_tells_its_progress_and_is_not_changed(estate: Estate) -> None:
    estate.make_definition()
    estate.make_generalized()
    timing = estate.azure.cloud.cloud.operations.timing
    name = f"{GalleryImageVersions.type}/write"
    assert isinstance(timing.seconds, dict)
    timing.seconds[name] = 0.6
    try:
        body = estate.version_body(estate.id("virtualMachines", "vm"))
        poller: Any = estate.compute.gallery_image_versions.begin_create_or_update(
            "g", "gallery", "definition", "1.0.0", body
        )
        again = estate.call("PUT", f"{VERSIONS}/1.0.0", body)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "Conflict")
        shown = estate.call("GET", f"{VERSIONS}/1.0.0?$expand=ReplicationStatus").json()["properties"]
        assert shown["provisioningState"] == "Creating"
        assert shown["replicationStatus"]["summary"][0]["state"] == "Replicating"
        assert shown["replicationStatus"]["summary"][0]["progress"] < 100
        poller.result()
    finally:
        del timing.seconds[name]
    expanded = estate.call("GET", f"{VERSIONS}/1.0.0?$expand=ValidationProfile").json()["properties"]
    assert set(expanded["validationsProfile"]) == {"validationEtag", "executedValidations", "platformAttributes"}
    assert estate.call("GET", f"{VERSIONS}/1.0.0?$expand=Everything").status_code == 400


def test_a_version_may_be_kept_until_the_end_of_its_life(estate: Estate) -> None:
    estate.make_definition()
    estate.make_generalized()
    body = estate.version_body(estate.id("virtualMachines", "vm"))
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    body["properties"]["publishingProfile"]["endOfLifeDate"] = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    versions = estate.compute.gallery_image_versions
    versions.begin_create_or_update("g", "gallery", "definition", "1.0.0", body).result()
    error = refusal(lambda: versions.begin_delete("g", "gallery", "definition", "1.0.0"))
    assert error[:2] == (409, "OperationNotAllowed")
    past = {"endOfLifeDate": (datetime.now(UTC) - timedelta(days=9)).isoformat()}
    versions.begin_update("g", "gallery", "definition", "1.0.0", {"properties": {"publishingProfile": past}}).result()
    versions.begin_delete("g", "gallery", "definition", "1.0.0").result()


def test_how_a_gallery_is_shared_shows_when_asked_for(estate: Estate) -> None:
    body: Any = {"location": LOCATION}
    assert estate.call("PUT", "galleries/gallery", body).status_code == 201
    assert "sharingProfile" not in estate.call("GET", "galleries/gallery").json()["properties"]
    shown = estate.call("GET", "galleries/gallery?$select=Permissions").json()["properties"]
    assert shown["sharingProfile"] == {"permissions": "Private"}
    for properties, path in (
        ({"softDeletePolicy": {"isSoftDeleteEnabled": True}}, "softDeletePolicy"),
        ({"sharingProfile": {"permissions": "Everybody"}}, "sharingProfile.permissions"),
        ({"sharingProfile": {"permissions": "Community"}}, "sharingProfile.communityGalleryInfo.publisherUri"),
    ):
        error = estate.call("PUT", "galleries/gallery", {**body, "properties": properties}).json()["error"]
        assert (error["code"], error["target"]) == ("InvalidParameter", f"gallery.properties.{path}")


@pytest.mark.parametrize(
    "properties",
    [
        {"osState": "Frozen"},
        {"hyperVGeneration": "V3"},
        {"features": [{"name": "SecurityType", "value": "Ironclad"}]},
        {"features": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        {"hyperVGeneration": "V1", "features": [{"name": "SecurityType", "value": "TrustedLaunch"}]},
        {"hyperVGeneration": "V1", "architecture": "Arm64"},
    ],
)
def test_a_definition_says_only_what_azure_knows(estate: Estate, properties: dict[str, Any]) -> None:
    assert refusal(lambda: estate.make_definition(**properties))[:2] == (400, "InvalidParameter")


def test_a_definition_may_spell_its_values_in_any_case(estate: Estate) -> None:
    made = estate.make_definition(osType="linux", osState="GENERALIZED", hyperVGeneration="v2", architecture="X64")
    assert (made.os_type, made.os_state, made.hyper_v_generation, made.architecture) == (
        "Linux",
        "Generalized",
        "V2",
        "x64",
    )
