from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError

from tests.emulator.compute.estate import power_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.compute.estate import Estate
    from verified_images.emulator.faults import Faults


@pytest.fixture
def rules(estate: Estate) -> Iterator[Faults]:
    yield estate.azure.cloud.faults
    estate.azure.cloud.faults.clear()


def test_a_machine_that_never_boots_runs_but_is_not_provisioned(estate: Estate, rules: Faults) -> None:
    rules.add(fault="never_boots", resource="vm")
    with pytest.raises(HttpResponseError) as failed:
        estate.make_machine()
    assert failed.value.error is not None
    assert failed.value.error.code == "OSProvisioningTimedOut"
    machine = estate.compute.virtual_machines.get("g", "vm", expand="instanceView")
    assert (machine.provisioning_state, power_state(machine.instance_view)) == ("Failed", "PowerState/running")
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    estate.compute.virtual_machines.begin_start("g", "vm").result()
    assert estate.run("echo up").count("up") == 1


@pytest.mark.parametrize("code", ["AllocationFailed", "ZonalAllocationFailed"])
def test_without_capacity_the_operation_fails(estate: Estate, rules: Faults, code: str) -> None:
    rules.add(fault="no_capacity", code=code)
    poller = estate.begin_machine()
    with pytest.raises(HttpResponseError) as failed:
        poller.result()
    assert failed.value.error is not None
    assert (poller.status(), failed.value.error.code) == ("Failed", code)
    assert estate.guests() == []


def test_a_size_that_is_sold_out_is_refused_at_once(estate: Estate, rules: Faults) -> None:
    rules.add(fault="no_capacity", code="SkuNotAvailable")
    with pytest.raises(HttpResponseError, match="Standard_B2s' is currently not available in location 'westeurope'"):
        estate.begin_machine()
    with pytest.raises(HttpResponseError, match="not found"):
        estate.compute.virtual_machines.get("g", "vm")


def test_a_used_up_quota_is_refused_with_its_numbers(estate: Estate, rules: Faults) -> None:
    rules.add(fault="quota_exceeded")
    with pytest.raises(HttpResponseError, match="Location: westeurope, Current Limit: 10, Current Usage: 10"):
        estate.begin_machine()


def test_a_version_that_is_not_replicated_is_failed_until_it_is_written_again(estate: Estate, rules: Faults) -> None:
    estate.make_generalized()
    estate.make_definition()
    rules.add(fault="replication_failed", region="North Europe")
    with pytest.raises(HttpResponseError, match="North Europe"):
        estate.make_version(regions=("westeurope", "northeurope"))
    versions = estate.compute.gallery_image_versions
    found = versions.get("g", "gallery", "definition", "1.0.0", expand="ReplicationStatus")
    assert found.provisioning_state == "Failed"
    assert found.replication_status.aggregated_state == "Failed"
    assert [region.state for region in found.replication_status.summary] == ["Completed", "Failed"]
    made = estate.make_version(regions=("westeurope", "northeurope"))
    assert made.provisioning_state == "Succeeded"


def test_a_spot_instance_is_evicted_after_it_has_booted(estate: Estate, rules: Faults) -> None:
    rules.add(fault="evicted", type="*/virtualMachineScaleSets/virtualMachines")
    estate.make_scale_set(1, priority="Spot", evictionPolicy="Deallocate")
    instances = estate.compute.virtual_machine_scale_set_vms
    end = time.monotonic() + 10
    while power_state(instances.get_instance_view("g", "ss", "0")) != "PowerState/deallocated":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_not_spot_is_not_evicted(estate: Estate, rules: Faults, caplog: pytest.LogCaptureFixture) -> None:
    rules.add(fault="evicted", type="*/virtualMachineScaleSets/virtualMachines")
    estate.make_scale_set(1)
    end = time.monotonic() + 10
    while "is not evicted" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.05)
    (rule,) = rules.describe()
    assert rule["hit"] == 1
