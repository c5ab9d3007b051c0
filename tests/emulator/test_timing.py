from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.emulator.resource_manager.calls import Caller
from verified_images.emulator import LocalCloud, Options, load_timing
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DELETION = "Microsoft.Resources/subscriptions/resourceGroups/delete"


def test_a_typical_machine_takes_more_than_a_minute() -> None:
    typical = load_timing("typical")
    assert typical.of("microsoft.compute/virtualmachines/write") == 71
    assert typical.of("Microsoft.Compute/anything/else") == typical.default > 0
    assert typical.poll("Microsoft.Compute/virtualMachines/write") == "50"


@pytest.mark.parametrize(("scale", "expected"), [(1, "10"), (0.1, "1"), (0.01, ""), (2, "20")])
def test_waits_are_scaled_to_whole_seconds_and_left_out_below_one(scale: float, expected: str) -> None:
    assert load_timing("instant", scale).retry_after(10) == expected


@pytest.mark.parametrize(
    ("profile", "scale", "wait", "complaint"),
    [("slow", 1, None, "timing"), ("typical", -1, None, "timing"), ("instant", 1, 0, "give 1 or more")],
)
def test_a_wrong_profile_is_refused(profile: str, scale: float, wait: int | None, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load_timing(profile, scale, wait)


def test_a_wait_may_be_told_by_every_answer_of_an_operation(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache, timing=Timing({_DELETION: 60}, wait=3))
    with LocalCloud(tmp_path, options) as cloud:
        call = Caller(cloud)
        call.make_group("g")
        disk = "resourceGroups/g/providers/Microsoft.Compute/disks/disk"
        body = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}}
        made = call("PUT", disk, body, version="2023-04-02")
        deleted = call("DELETE", "resourceGroups/g")
        polled = call("GET", deleted.headers["Location"])

    assert [answer.headers["Retry-After"] for answer in (made, deleted, polled)] == ["3", "3", "3"]
    assert polled.status_code == 202


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[Caller]:
    options = Options(hypervisor="fake", cache=image_cache, timing=load_timing("typical", 0.1))
    with LocalCloud(tmp_path_factory.mktemp("timing") / "azure", options) as cloud:
        yield Caller(cloud)


def test_an_operation_takes_its_time_and_an_early_poll_is_counted(call: Caller) -> None:
    call.make_group("g")
    body = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    path = "resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n"
    began = time.monotonic()
    made = call("PUT", path, body, "2024-05-01")
    assert (made.status_code, made.json()["properties"]["provisioningState"]) == (201, "Updating")
    assert "Retry-After" not in made.headers
    call("DELETE", "/local/statistics")
    first = call("GET", made.headers["Azure-AsyncOperation"])
    assert (first.json()["status"], first.headers["Retry-After"]) == ("InProgress", "1")
    assert call("GET", made.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress"
    while call("GET", made.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress":
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.4
    counted = call("GET", "/local/statistics").json()
    assert counted["polls"]["early"] >= 2
    assert counted["polls"]["early_by_operation"] == {
        "Microsoft.Network/locations/operations/read": counted["polls"]["early"]
    }
    assert counted["calls"]["Microsoft.Network/locations/operations/read"] >= 3
