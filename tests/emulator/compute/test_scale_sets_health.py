from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, Estate, Json
from tests.emulator.network.place import refusal
from verified_images.emulator.fake.faults import GuestFault
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.hypervisor import GuestSpec

ROLLING = {
    "mode": "Rolling",
    "rollingUpgradePolicy": {"maxBatchInstancePercent": 50, "maxUnhealthyInstancePercent": 100},
}


def _health(port: int = 22, protocol: str = "tcp", **settings: Json) -> Json:
    properties = {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": "1.0",
        "settings": {"protocol": protocol, "port": port, **settings},
    }
    return {"extensions": [{"name": "health", "properties": properties}]}


def _sets(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_sets


def _rolling(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_set_rolling_upgrades


def _make(estate: Estate, capacity: int = 2, image: Json = None, **properties: Json) -> None:
    body = estate.scale_set_body(capacity, image, extensionProfile=_health())
    body["properties"] |= properties
    _sets(estate).begin_create_or_update("g", "ss", body).result()


def _guest_of(estate: Estate, number: str) -> str:
    instance = estate.azure.cloud.cloud.store.find(estate.id("virtualMachineScaleSets", f"ss/virtualMachines/{number}"))
    assert instance is not None
    return str(instance.hidden["guest"])


@pytest.fixture
def hasty(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    """Let ten minutes of a resource's settings last half a second."""
    monkeypatch.setattr(estate.azure.cloud.cloud.operations, "timing", Timing(scale=0.5 / 600))
    yield estate
    for scale_set in _sets(estate).list("g"):
        _sets(estate).begin_delete("g", scale_set.name).result()


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (_health(), "HealthState/healthy"),
        (_health(81), "HealthState/unhealthy"),
        (_health(22, "http", requestPath="/"), "HealthState/unhealthy"),
    ],
)
def test_the_health_extension_asks_the_port_that_it_is_told(estate: Estate, health: Json, expected: str) -> None:
    _sets(estate).begin_create_or_update("g", "ss", estate.scale_set_body(1, extensionProfile=health)).result()
    view = estate.compute.virtual_machine_scale_set_vms.get_instance_view("g", "ss", "0")
    assert view.vm_health.status.code == expected
    summary = _sets(estate).get_instance_view("g", "ss").virtual_machine.statuses_summary
    assert (expected, 1) in [(status.code, status.count) for status in summary]


def test_a_probe_of_a_load_balancer_tells_of_health(estate: Estate) -> None:
    balancer = f"{estate.group_id}/providers/Microsoft.Network/loadBalancers/lb"
    frontend = {"name": "f", "properties": {"subnet": {"id": estate.subnet_id}}}
    probe = {"name": "p", "properties": {"protocol": "Tcp", "port": 22, "intervalInSeconds": 5}}
    rule = {
        "name": "r",
        "properties": {
            "protocol": "Tcp",
            "frontendPort": 22,
            "backendPort": 22,
            "frontendIPConfiguration": {"id": f"{balancer}/frontendIPConfigurations/f"},
            "backendAddressPool": {"id": f"{balancer}/backendAddressPools/b"},
            "probe": {"id": f"{balancer}/probes/p"},
        },
    }
    properties = {
        "frontendIPConfigurations": [frontend],
        "backendAddressPools": [{"name": "b"}],
        "probes": [probe],
        "loadBalancingRules": [rule],
    }
    model: Json = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": properties}
    estate.azure.network.load_balancers.begin_create_or_update("g", "lb", model).result()
    body = estate.scale_set_body(1)
    network = body["properties"]["virtualMachineProfile"]["networkProfile"]
    network["healthProbe"] = {"id": f"{balancer}/probes/p"}
    configuration = network["networkInterfaceConfigurations"][0]["properties"]["ipConfigurations"][0]
    configuration["properties"]["loadBalancerBackendAddressPools"] = [{"id": f"{balancer}/backendAddressPools/b"}]
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    views = estate.compute.virtual_machine_scale_set_vms
    assert views.get_instance_view("g", "ss", "0").vm_health.status.code == "HealthState/healthy"
    estate.hypervisor.stop(_guest_of(estate, "0"), graceful=False)
    assert views.get_instance_view("g", "ss", "0").vm_health.status.code == "HealthState/unhealthy"


def _change_image(estate: Estate) -> Json:
    image = {"id": estate.make_image().id}
    return {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": image}}}}


def test_a_rolling_upgrade_is_told_of_while_and_after_it_runs(estate: Estate) -> None:
    estate.make_generalized()
    _make(estate, upgradePolicy=ROLLING)
    assert refusal(lambda: _rolling(estate).get_latest("g", "ss"))[:2] == (404, "NotFound")
    _sets(estate).begin_update("g", "ss", _change_image(estate)).result()
    latest = _rolling(estate).get_latest("g", "ss")
    assert latest.running_status.code == "Completed"
    assert (latest.progress.successful_instance_count, latest.progress.pending_instance_count) == (2, 0)
    assert latest.policy.max_batch_instance_percent == 50
    (told,) = _sets(estate).get_os_upgrade_history("g", "ss")
    assert told.properties.started_by == "User"
    assert told.properties.target_image_reference.id.endswith("/images/image")


def test_unhealthy_instances_stop_a_rolling_upgrade_before_it_begins(estate: Estate) -> None:
    estate.make_generalized()
    policy: Json = {"mode": "Rolling", "rollingUpgradePolicy": {"maxUnhealthyInstancePercent": 20}}
    _make(estate, upgradePolicy=policy)
    estate.hypervisor.stop(_guest_of(estate, "0"), graceful=False)
    code = refusal(lambda: _sets(estate).begin_update("g", "ss", _change_image(estate)).result())[1]
    assert code == "MaxUnhealthyInstancePercentExceededBeforeRollingUpgrade"
    latest = _rolling(estate).get_latest("g", "ss")
    assert (latest.running_status.code, latest.error.code) == ("Faulted", code)


def test_an_upgraded_instance_that_is_not_healthy_fails_the_upgrade(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verified_images.emulator.compute.scale_sets.rolling_upgrades.HEALTH_SECONDS", 0.3)
    estate.make_generalized()
    _make(estate, upgradePolicy=ROLLING)
    change = _change_image(estate)
    change["properties"]["virtualMachineProfile"]["extensionProfile"] = _health(81)
    code = refusal(lambda: _sets(estate).begin_update("g", "ss", change).result())[1]
    assert code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"


def test_a_cancelled_rolling_upgrade_leaves_the_rest_as_they_are(hasty: Estate) -> None:
    hasty.make_generalized()
    rules = {**ROLLING["rollingUpgradePolicy"], "pauseTimeBetweenBatches": "PT60M"}  # type: ignore[dict-item]
    _make(hasty, upgradePolicy={"mode": "Rolling", "rollingUpgradePolicy": rules})
    poller = _sets(hasty).begin_update("g", "ss", _change_image(hasty))
    deadline = time.monotonic() + 10
    while _upgraded(hasty) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    _rolling(hasty).begin_cancel("g", "ss").result()
    assert refusal(poller.result)[1] == "OperationNotAllowed"
    assert _rolling(hasty).get_latest("g", "ss").running_status.code == "Cancelled"
    applied = [each.latest_model_applied for each in hasty.compute.virtual_machine_scale_set_vms.list("g", "ss")]
    assert sorted(applied) == [False, True]


def _upgraded(estate: Estate) -> int:
    answer = estate.call("GET", "virtualMachineScaleSets/ss/rollingUpgrades/latest")
    return int(answer.json().get("properties", {}).get("progress", {}).get("successfulInstanceCount", 0))


def test_an_os_upgrade_brings_the_latest_version_of_a_definition(estate: Estate) -> None:
    estate.make_generalized()
    definition = estate.make_definition()
    estate.make_version("1.0.0")
    _make(estate, 1, {"id": definition.id})
    estate.make_version("1.1.0")
    _rolling(estate).begin_start_os_upgrade("g", "ss").result()
    (instance,) = estate.compute.virtual_machine_scale_set_vms.list("g", "ss")
    assert instance.storage_profile.image_reference.exact_version == "1.1.0"
    assert _rolling(estate).get_latest("g", "ss").running_status.code == "Completed"


def _follow(estate: Estate, capacity: int = 2, **policy: Json) -> Json:
    """Make a scale set that follows a definition, of which version 1.0.0 is there; give the definition."""
    estate.make_generalized()
    definition = estate.make_definition()
    estate.make_version("1.0.0")
    automatic = {"enableAutomaticOSUpgrade": True, "useRollingUpgradePolicy": True, **policy}
    rules = ROLLING["rollingUpgradePolicy"]
    upgrades = {"mode": "Manual", "rollingUpgradePolicy": rules, "automaticOSUpgradePolicy": automatic}
    _make(estate, capacity, {"id": definition.id}, upgradePolicy=upgrades)
    return definition


def _versions(estate: Estate) -> list[str]:
    instances = estate.compute.virtual_machine_scale_set_vms.list("g", "ss")
    return [str(each.storage_profile.image_reference.exact_version) for each in instances]


def _has_version(estate: Estate, spec: GuestSpec, version: str) -> bool:
    """Tell whether a guest that is started is an instance of a version."""
    instances = estate.azure.cloud.cloud.store.select("Microsoft.Compute/virtualMachineScaleSets/virtualMachines")
    storage = [each.properties["storageProfile"] for each in instances if each.hidden["guest"] == spec.name]
    return [each["imageReference"].get("exactVersion") for each in storage] == [version]


def _wait_for_history(estate: Estate, count: int = 1) -> Json:
    """Give what is told of OS upgrades once there are that many, the newest first."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = [each.properties for each in _sets(estate).get_os_upgrade_history("g", "ss")]
        if len(told) >= count:
            return told
        time.sleep(0.1)
    pytest.fail(f"no {count} OS upgrades within a minute")


def test_a_new_version_comes_to_a_scale_set_that_follows_its_image(estate: Estate) -> None:
    _follow(estate)
    estate.make_version("1.1.0")
    (told,) = _wait_for_history(estate)
    assert (told.running_status.code, told.started_by) == ("Completed", "Platform")
    assert told.target_image_reference.exact_version == "1.1.0"
    assert told.progress.successful_instance_count == 2
    assert _versions(estate) == ["1.1.0", "1.1.0"]


def test_what_is_no_newer_version_changes_nothing(estate: Estate) -> None:
    _follow(estate)
    estate.make_version("1.1.0", excludeFromLatest=True)
    estate.make_version("0.9.0")
    body: Json = {"properties": {"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": False}}}}
    _sets(estate).begin_update("g", "ss", body).result()
    estate.make_version("1.2.0")
    time.sleep(1.5)
    assert _versions(estate) == ["1.0.0", "1.0.0"]
    # What was held back comes once it is published, and protected instances are passed by.
    body["properties"]["upgradePolicy"]["automaticOSUpgradePolicy"]["enableAutomaticOSUpgrade"] = True
    protected: Json = {"location": LOCATION, "properties": {"protectionPolicy": {"protectFromScaleSetActions": True}}}
    estate.compute.virtual_machine_scale_set_vms.begin_update("g", "ss", "0", protected).result()
    _sets(estate).begin_update("g", "ss", body).result()
    _wait_for_history(estate)
    assert _versions(estate) == ["1.0.0", "1.2.0"]


def test_a_version_that_instances_do_not_get_well_with_is_taken_back_and_not_tried_again(estate: Estate) -> None:
    _follow(estate)
    estate.faults.next = lambda spec: GuestFault(cannot_start="no" if _has_version(estate, spec, "1.1.0") else "")
    estate.make_version("1.1.0")
    (told,) = _wait_for_history(estate)
    assert told.running_status.code == "Faulted"
    assert told.error.code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    deadline = time.monotonic() + 60
    while not _wait_for_history(estate)[0].rollback_info and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _versions(estate) == ["1.0.0", "1.0.0"]
    estate.faults.clear()
    states = [each.provisioning_state for each in estate.compute.virtual_machine_scale_set_vms.list("g", "ss")]
    assert states == ["Succeeded", "Succeeded"]
    estate.make_version("1.2.0")
    told = _wait_for_history(estate, 2)
    assert [each.target_image_reference.exact_version for each in told] == ["1.2.0", "1.1.0"]
    assert told[1].rollback_info.successfully_rolledback_instance_count == 1
    assert _versions(estate) == ["1.2.0", "1.2.0"]


def _wait_for_ids(estate: Estate, expected: list[str]) -> list[str]:
    deadline = time.monotonic() + 15
    while estate.instance_ids() != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return estate.instance_ids()


def _repairs(**more: Any) -> Json:  # noqa: ANN401 - any JSON value
    return {"enabled": True, "gracePeriod": "PT10M", **more}


def test_an_unhealthy_instance_is_replaced_after_the_grace_period(hasty: Estate) -> None:
    _make(hasty, 1, automaticRepairsPolicy=_repairs())
    (service,) = _sets(hasty).get_instance_view("g", "ss").orchestration_services
    assert (service.service_name, service.service_state) == ("AutomaticRepairs", "Running")
    hasty.hypervisor.stop(_guest_of(hasty, "0"), graceful=False)
    assert _wait_for_ids(hasty, ["1"]) == ["1"]
    assert _sets(hasty).get("g", "ss").sku.capacity == 1


def test_a_repair_may_restart_instead_and_may_be_suspended(hasty: Estate) -> None:
    _make(hasty, 1, automaticRepairsPolicy=_repairs(repairAction="restart"))
    set_state = _sets(hasty).begin_set_orchestration_service_state
    set_state("g", "ss", {"serviceName": "AutomaticRepairs", "action": "Suspend"}).result()
    guest = _guest_of(hasty, "0")
    hasty.hypervisor.stop(guest, graceful=False)
    time.sleep(1.2)
    assert not hasty.hypervisor.is_running(guest)
    set_state("g", "ss", {"serviceName": "AutomaticRepairs", "action": "Resume"}).result()
    deadline = time.monotonic() + 15
    while not hasty.hypervisor.is_running(guest) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hasty.hypervisor.is_running(guest)
    assert hasty.instance_ids() == ["0"]
