from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json

PATH = "virtualMachineScaleSets/ss"


def _sets(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_sets


def _extensions(estate: Estate) -> Json:
    return estate.compute.virtual_machine_scale_set_extensions


def _script(command: str, name: str = "script", **more: Json) -> Json:
    properties = {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "autoUpgradeMinorVersion": True,
        "settings": {"commandToExecute": command},
        **more,
    }
    return {"name": name, "properties": properties}


def _health(**more: Json) -> Json:
    properties = {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": "1.0",
        "settings": {"protocol": "tcp", "port": 22},
        **more,
    }
    return {"name": "health", "properties": properties}


def _make(estate: Estate, *extensions: Json, capacity: int = 1, **properties: Json) -> None:
    body = estate.scale_set_body(capacity, extensionProfile={"extensions": list(extensions)})
    body["properties"] |= properties
    _sets(estate).begin_create_or_update("g", "ss", body).result()


def _ask(estate: Estate, script: str, number: str = "0") -> str:
    body = {"commandId": "RunShellScript", "script": [script]}
    instances = estate.compute.virtual_machine_scale_set_vms
    message = str(instances.begin_run_command("g", "ss", number, body).result().value[0].message)
    return message.split("[stdout]\n")[1].split("[stderr]", maxsplit=1)[0].strip()


def test_a_custom_script_runs_on_each_instance(estate: Estate) -> None:
    _make(estate, _script("hostname >>/root/ran"), capacity=2)
    assert [_ask(estate, "cat /root/ran", number) for number in ("0", "1")] == ["inst000000", "inst000001"]
    body = estate.call("GET", f"{PATH}/virtualMachines/1").json()
    (resource,) = body["resources"]
    assert resource["type"] == "Microsoft.Compute/virtualMachines/extensions"
    assert resource["id"].endswith("/virtualMachines/ss_1/extensions/script")
    assert resource["properties"]["provisioningState"] == "Succeeded"
    view = _sets(estate).get_instance_view("g", "ss")
    assert [(each.name, each.statuses_summary[0].count) for each in view.extensions] == [("script", 2)]
    own = estate.compute.virtual_machine_scale_set_vms.get_instance_view("g", "ss", "0")
    assert own.extensions[0].name == "script"


def test_a_script_that_fails_fails_the_scale_set(estate: Estate) -> None:
    status, code, message = refusal(lambda: _make(estate, _script("echo broken >&2; exit 3")))[:3]
    assert (status, code) == (200, "VMExtensionProvisioningError")
    assert "broken" in message
    (instance,) = estate.compute.virtual_machine_scale_set_vms.list("g", "ss")
    assert instance.provisioning_state == "Failed"


def test_extensions_run_in_the_order_that_they_ask_for(estate: Estate) -> None:
    late = _health(provisionAfterExtensions=["script"])
    _make(estate, late, _script("true"))
    names = [each["name"] for each in estate.call("GET", f"{PATH}/virtualMachines/0").json()["resources"]]
    assert names == ["script", "health"]


def test_an_extension_is_added_read_changed_and_removed(estate: Estate) -> None:
    _make(estate)
    body = _script("true", protectedSettings={"commandToExecute": "echo hush >/root/first"}, settings={})
    answer = estate.call("PUT", f"{PATH}/extensions/script", body)
    assert answer.status_code == 201
    assert answer.json()["type"] == "Microsoft.Compute/virtualMachineScaleSets/extensions"
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    assert "Azure-AsyncOperation" in answer.headers
    _extensions(estate).begin_create_or_update("g", "ss", "script", body).result()
    for path in (PATH, f"{PATH}/extensions", f"{PATH}/extensions/script"):
        text = estate.call("GET", path).text
        assert "CustomScript" in text
        assert "hush" not in text
    assert _ask(estate, "ls /root/first 2>&1 || true") != "/root/first"
    update = _sets(estate).begin_update_instances
    update("g", "ss", {"instanceIds": ["0"]}).result()
    assert _ask(estate, "cat /root/first") == "hush"
    change: Json = {"properties": {"settings": {}, "protectedSettings": {"commandToExecute": "echo b >/root/second"}}}
    _extensions(estate).begin_update("g", "ss", "script", change).result()
    update("g", "ss", {"instanceIds": ["0"]}).result()
    assert _ask(estate, "cat /root/second") == "b"
    _extensions(estate).begin_delete("g", "ss", "script").result()
    assert list(_extensions(estate).list("g", "ss")) == []
    update("g", "ss", {"instanceIds": ["0"]}).result()
    assert "resources" not in estate.call("GET", f"{PATH}/virtualMachines/0").json()
    assert estate.call("DELETE", f"{PATH}/extensions/script").status_code == 204
    assert refusal(lambda: _extensions(estate).get("g", "ss", "script"))[:2] == (404, "NotFound")


def test_a_new_disk_has_everything_run_on_it_again(estate: Estate) -> None:
    _make(estate, _script("date >/root/ran"))
    _ask(estate, "rm /root/ran")
    estate.compute.virtual_machine_scale_set_vms.begin_reimage("g", "ss", "0").result()
    assert _ask(estate, "ls /root/ran") == "/root/ran"


def test_an_extension_upgrade_runs_on_all_a_batch_after_another(estate: Estate) -> None:
    _make(estate, _health(), _script("echo x >>/root/ran"), capacity=2)
    rolling = estate.compute.virtual_machine_scale_set_rolling_upgrades
    rolling.begin_start_extension_upgrade("g", "ss").result()
    assert [_ask(estate, "wc -l </root/ran", number) for number in ("0", "1")] == ["2", "2"]
    latest = rolling.get_latest("g", "ss")
    assert (latest.running_status.code, latest.progress.successful_instance_count) == ("Completed", 2)


def test_extensions_reach_the_machines_of_a_flexible_scale_set(estate: Estate) -> None:
    body = estate.scale_set_body(1, extensionProfile={"extensions": [_script("echo flexible >/root/ran")]})
    del body["properties"]["overprovision"]
    body["properties"] |= {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}
    _sets(estate).begin_create_or_update("g", "ss", body).result()
    (machine,) = estate.compute.virtual_machines.list("g")
    assert "flexible" in estate.run("cat /root/ran", machine.name)
    assert [each.name for each in machine.resources] == ["script"]


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        ([_script("true"), _script("true", "again")], "BadRequest"),
        ([_script("true", type="NoSuchThing")], "ArtifactNotFound"),
        ([_script("true", typeHandlerVersion="9.0")], "ArtifactVersionNotFound"),
        ([_script("true", publisher=None)], "InvalidParameter"),
        ([_script("true", provisionAfterExtensions=["other"])], "InvalidParameter"),
    ],
)
def test_extensions_that_cannot_be_had_are_refused(estate: Estate, extensions: list[Json], code: str) -> None:
    assert refusal(lambda: _make(estate, *extensions))[1] == code
    assert estate.guests() == []
