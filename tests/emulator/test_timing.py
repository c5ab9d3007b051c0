from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.emulator.resource_manager.calls import Caller
from verified_images.emulator import LocalCloud, Options, load_timing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_typical_machine_takes_more_than_a_minute() -> None:
    typical = load_timing("typical")
    assert typical.of("microsoft.compute/virtualmachines/write") == 71
    assert typical.of("Microsoft.Compute/anything/else") == typical.default > 0
    assert typical.poll("Microsoft.Compute/virtualMachines/write") == "50"


@pytest.mark.parametrize(("scale", "expected"), [(1, "10"), (0.1, "1"), (0.01, ""), (2, "20")])
def test_waits_are_scaled_to_whole_seconds_and_left_out_below_one(scale: float, expected: str) -> None:
    assert load_timing("instant", scale).retry_after(10) == expected


@pytest.mark.parametrize(("profile", "scale"), [("slow", 1), ("typical", -1)])
def test_a_wrong_profile_is_refused(profile: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"timing"):
        load_timing(profile, scale)


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
