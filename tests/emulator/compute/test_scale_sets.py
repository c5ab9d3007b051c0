from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.compute.estate import LOCATION, Estate, Json, power_state
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

NIC_API_VERSION = "2018-10-01"
HALVES = {"maxBatchInstancePercent": 50, "maxUnhealthyInstancePercent": 100}
SSH_HEALTH: Json = {
    "extensionProfile": {
        "extensions": [
            {
                "name": "health",
                "properties": {
                    "publisher": "Microsoft.ManagedServices",
                    "type": "ApplicationHealthLinux",
                    "typeHandlerVersion": "1.0",
                    "settings": {"protocol": "tcp", "port": 22},
                },
            }
        ]
    }
}


def _vms(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_set_vms


def _sets(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_sets


def _hostname(estate: Estate, instance: str) -> str:
    body = {"commandId": "RunShellScript", "script": ["hostname"]}
    message = _vms(estate).begin_run_command("g", "ss", instance, body).result().value[0].message
    return str(message.split("[stdout]\n")[1].split("\n")[0])


def test_a_new_scale_set_shows_the_defaults_that_azure_fills_in(estate: Estate) -> None:
    answer = estate.call("PUT", "virtualMachineScaleSets/ss", estate.scale_set_body(capacity=1))
    assert answer.status_code == 201
    estate.make_scale_set(1)
    body = estate.call("GET", "virtualMachineScaleSets/ss").json()
    assert body["sku"] == {"name": "Standard_B2s", "tier": "Standard", "capacity": 1}
    properties = body["properties"]
    assert properties["singlePlacementGroup"] is True
    assert "orchestrationMode" not in properties
    assert properties["uniqueId"]
    profile = properties["virtualMachineProfile"]
    assert profile["storageProfile"]["osDisk"]["diskSizeGB"] == 30
    assert profile["osProfile"]["computerNamePrefix"] == "inst"
    card = profile["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert card["ipConfigurations"][0]["properties"]["privateIPAddressVersion"] == "IPv4"


def test_instances_have_names_cards_and_disks_of_their_own(estate: Estate) -> None:
    estate.make_scale_set()
    bodies = estate.call("GET", "virtualMachineScaleSets/ss/virtualMachines").json()["value"]
    assert [body["name"] for body in bodies] == ["ss_0", "ss_1"]
    assert [body["properties"]["osProfile"]["computerName"] for body in bodies] == ["inst000000", "inst000001"]
    assert [_hostname(estate, body["instanceId"]) for body in bodies] == ["inst000000", "inst000001"]
    assert [body["properties"]["latestModelApplied"] for body in bodies] == [True, True]
    assert len({body["properties"]["storageProfile"]["osDisk"]["name"] for body in bodies}) == 2
    path = "virtualMachineScaleSets/ss{}/networkInterfaces?api-version=" + NIC_API_VERSION
    cards = estate.call("GET", path.format("")).json()["value"]
    addresses = [card["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for card in cards]
    assert addresses == ["10.0.0.4", "10.0.0.5"]
    assert estate.call("GET", path.format("/virtualMachines/1")).json()["value"] == cards[1:]
    assert bodies[1]["properties"]["networkProfile"]["networkInterfaces"] == [{"id": cards[1]["id"]}]
    one = estate.call("GET", f"{cards[1]['id']}?api-version={NIC_API_VERSION}")
    assert one.json() == cards[1]
    configurations = f"{cards[1]['id']}/ipConfigurations"
    listed = estate.call("GET", f"{configurations}?api-version={NIC_API_VERSION}").json()["value"]
    assert listed == cards[1]["properties"]["ipConfigurations"]
    assert estate.call("GET", f"{configurations}/c?api-version={NIC_API_VERSION}").json() == listed[0]
    assert estate.call("GET", f"{configurations}/d?api-version={NIC_API_VERSION}").status_code == 404


def test_the_views_tell_of_the_instances(estate: Estate) -> None:
    estate.make_scale_set()
    view = _vms(estate).get_instance_view("g", "ss", "0")
    assert (view.computer_name, view.hyper_v_generation) == ("inst000000", "V2")
    assert power_state(view) == "PowerState/running"
    summary = _sets(estate).get_instance_view("g", "ss").virtual_machine.statuses_summary
    assert [(status.code, status.count) for status in summary] == [("ProvisioningState/succeeded", 2)]
    expanded = _vms(estate).list("g", "ss", expand="instanceView")
    assert [power_state(each.instance_view) for each in expanded] == ["PowerState/running"] * 2


def test_the_capacity_goes_up_and_down(estate: Estate) -> None:
    estate.make_scale_set(1)
    for capacity, expected in ((3, ["0", "1", "2"]), (1, ["0"]), (2, ["0", "3"]), (0, [])):
        _sets(estate).begin_update("g", "ss", {"sku": {"name": "Standard_B2s", "capacity": capacity}}).result()
        assert estate.instance_ids() == expected
        assert len(estate.files("disks")) == len(estate.guests()) == capacity


def test_instances_are_deleted_by_number(estate: Estate) -> None:
    estate.make_scale_set(3)
    _sets(estate).begin_delete_instances("g", "ss", {"instanceIds": ["0", "2"]}).result()
    assert estate.instance_ids() == ["1"]
    assert _sets(estate).get("g", "ss").sku.capacity == 1
    _vms(estate).begin_delete("g", "ss", "1").result()
    assert _sets(estate).get("g", "ss").sku.capacity == 0
    unknown = refusal(lambda: _sets(estate).begin_delete_instances("g", "ss", {"instanceIds": ["9"]}))
    assert unknown[:2] == (400, "InvalidParameter")
    assert refusal(lambda: _vms(estate).get("g", "ss", "1"))[:2] == (404, "NotFound")


def test_power_actions_work_on_all_or_some(estate: Estate) -> None:
    estate.make_scale_set()

    def states() -> list[str]:
        return [
            power_state(_vms(estate).get_instance_view("g", "ss", each)).split("/")[1] for each in estate.instance_ids()
        ]

    _sets(estate).begin_deallocate("g", "ss", {"instanceIds": ["1"]}).result()
    assert states() == ["running", "deallocated"]
    _sets(estate).begin_power_off("g", "ss").result()
    assert states() == ["stopped", "deallocated"]
    _sets(estate).begin_start("g", "ss", {"instanceIds": ["*"]}).result()
    assert states() == ["running", "running"]
    _vms(estate).begin_power_off("g", "ss", "0").result()
    assert states() == ["stopped", "running"]


def test_a_new_model_reaches_an_instance_when_it_is_upgraded(estate: Estate) -> None:
    estate.make_generalized()
    image = {"id": estate.make_image().id}
    estate.make_scale_set()
    storage = {"imageReference": image}
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage}}}
    _sets(estate).begin_update("g", "ss", change).result()
    assert [each.latest_model_applied for each in _vms(estate).list("g", "ss")] == [False, False]
    _sets(estate).begin_update_instances("g", "ss", {"instanceIds": ["1"]}).result()
    after = list(_vms(estate).list("g", "ss"))
    assert [each.latest_model_applied for each in after] == [False, True]
    assert after[1].storage_profile.image_reference.id == image["id"]
    assert _hostname(estate, "1") == "inst000001"
    assert len([disk for disk in estate.compute.disks.list() if "OS__1" in disk.name]) == 2


@pytest.mark.parametrize(
    "policy",
    [{"mode": "automatic"}, {"mode": "Rolling", "rollingUpgradePolicy": HALVES}],
)
def test_a_scale_set_upgrades_its_instances_by_itself_when_told_so(estate: Estate, policy: dict[str, Any]) -> None:
    estate.make_generalized()
    body = estate.scale_set_body(**SSH_HEALTH)
    body["properties"]["upgradePolicy"] = policy
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    storage = {"imageReference": {"id": estate.make_image().id}}
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage}}}
    _sets(estate).begin_update("g", "ss", change).result()
    assert [each.latest_model_applied for each in _vms(estate).list("g", "ss")] == [True, True]


def test_a_rolling_upgrade_stops_at_what_does_not_come_up(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.make_generalized()
    image = {"id": estate.make_image().id}
    body = estate.scale_set_body(**SSH_HEALTH)
    body["properties"]["upgradePolicy"] = {"mode": "Rolling", "rollingUpgradePolicy": HALVES}
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    monkeypatch.setattr("verified_images.emulator.compute.machines.guests.BOOT_SECONDS", 0.5)
    change = {"properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": image}}}}
    with estate.failing(never_provisioned=True):
        code = refusal(lambda: _sets(estate).begin_update("g", "ss", change).result())[1]
    assert code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert [each.latest_model_applied for each in _vms(estate).list("g", "ss")] == [True, False]


def test_a_reimaged_instance_is_as_new(estate: Estate) -> None:
    estate.make_scale_set(1)
    body = {"commandId": "RunShellScript", "script": ["touch /root/dirt; ls /root"]}
    assert "dirt" in _vms(estate).begin_run_command("g", "ss", "0", body).result().value[0].message
    _vms(estate).begin_reimage("g", "ss", "0").result()
    body["script"] = ["ls /root"]
    assert "dirt" not in _vms(estate).begin_run_command("g", "ss", "0", body).result().value[0].message
    assert len(estate.files("disks")) == 1


def test_each_instance_can_have_a_public_address(estate: Estate) -> None:
    body = estate.scale_set_body()
    card = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]
    wanted = {"name": "public", "sku": {"name": "Standard"}, "properties": {"idleTimeoutInMinutes": 10}}
    card["properties"]["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"] = wanted
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    path = f"virtualMachineScaleSets/ss/publicipaddresses?api-version={NIC_API_VERSION}"
    found = estate.call("GET", path).json()["value"]
    assert len({address["properties"]["ipAddress"] for address in found}) == 2
    assert found[0]["properties"]["ipConfiguration"]["id"].endswith(
        "/virtualMachines/0/networkInterfaces/nic/ipConfigurations/c"
    )
    _sets(estate).begin_delete("g", "ss").result()
    assert estate.call("GET", path).status_code == 404


def _profile(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda body: change(body["properties"]["virtualMachineProfile"])


@pytest.mark.parametrize(
    ("change", "status", "target"),
    [
        (lambda body: body["properties"].pop("upgradePolicy"), 400, "upgradePolicy"),
        (lambda body: body["sku"].pop("capacity"), 400, "sku.capacity"),
        (lambda body: body.pop("sku"), 400, "sku.name"),
        (lambda body: body["sku"].update(capacity=1001), 400, "sku.capacity"),
        (_profile(lambda profile: profile["storageProfile"].pop("imageReference")), 400, None),
        (_profile(lambda profile: profile["osProfile"].pop("computerNamePrefix")), 400, None),
        (_profile(lambda profile: profile["networkProfile"].clear()), 400, None),
    ],
)
def test_a_model_that_azure_refuses_is_refused(
    estate: Estate, change: Callable[[dict[str, Any]], None], status: int, target: str | None
) -> None:
    body = estate.scale_set_body()
    change(body)
    answer = estate.call("PUT", "virtualMachineScaleSets/ss", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, "InvalidParameter")
    assert target is None or error["target"] == target
    assert estate.guests() == []


def test_a_managed_image_is_not_for_trusted_launch(estate: Estate) -> None:
    estate.make_generalized()
    body = estate.scale_set_body(image={"id": estate.make_image().id})
    body["properties"]["virtualMachineProfile"]["securityProfile"] = {"securityType": "TrustedLaunch"}
    answer = estate.call("PUT", "virtualMachineScaleSets/ss", body)
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        {
            "code": "BadRequest",
            "message": "Managed Images are not supported for virtual machines with security type TrustedLaunch.",
        },
    )


def test_a_subnet_without_room_leaves_no_instance(estate: Estate) -> None:
    subnet: Json = {"properties": {"addressPrefix": "10.0.9.0/29"}}
    estate.azure.network.subnets.begin_create_or_update("g", "vnet", "tiny", subnet).result()
    body = estate.scale_set_body(capacity=4)
    card = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]
    identifier = estate.subnet_id.replace("/subnets/s", "/subnets/tiny")
    card["properties"]["ipConfigurations"][0]["properties"]["subnet"] = {"id": identifier}
    begin = _sets(estate).begin_create_or_update
    assert refusal(lambda: begin("g", "ss", body).result())[1] == "SubnetIsFull"
    assert estate.instance_ids() == estate.guests() == []


def test_usages_count_the_cores_of_scale_sets(estate: Estate) -> None:
    estate.make_scale_set()
    usages = {usage.name.value: usage.current_value for usage in estate.compute.usage.list(LOCATION)}
    assert (usages["cores"], usages["virtualMachineScaleSets"]) == (4, 1)
