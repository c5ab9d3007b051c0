"""VM extensions: what the guest's agent is told to run, and what it says of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json

SCRIPT = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
LOGIN = {"publisher": "Microsoft.Azure.ActiveDirectory", "type": "AADSSHLoginForLinux", "typeHandlerVersion": "1.0"}
PATH = "virtualMachines/vm/extensions/x"


def _put(estate: Estate, name: str = "x", **properties: Json) -> Json:
    body = {"location": "westeurope", "properties": {**SCRIPT, **properties}}
    return estate.compute.virtual_machine_extensions.begin_create_or_update("g", "vm", name, body)


def test_a_custom_script_runs_in_the_guest_and_its_protected_settings_stay_there(estate: Estate) -> None:
    estate.make_machine()
    first = estate.call(
        "PUT",
        PATH,
        {"location": "westeurope", "properties": {**SCRIPT, "protectedSettings": {"commandToExecute": "echo s3cret"}}},
    )
    assert (first.status_code, first.json()["properties"]["provisioningState"]) == (201, "Creating")
    assert "Azure-AsyncOperation" in first.headers
    assert "Location" not in first.headers
    estate.compute.virtual_machine_extensions.begin_update("g", "vm", "x", {"properties": {}}).result()
    shown = estate.call("GET", PATH).json()
    assert shown["properties"] == {
        "autoUpgradeMinorVersion": False,
        "provisioningState": "Succeeded",
        **SCRIPT,
    }
    view = estate.call("GET", f"{PATH}?$expand=instanceView").json()["properties"]["instanceView"]
    assert view["statuses"][0]["message"] == "Enable succeeded: \n[stdout]\ns3cret\n\n[stderr]\n"
    assert view["typeHandlerVersion"].startswith("2.1.")


def test_a_script_may_come_encoded_and_runs_again_only_when_its_settings_change(estate: Estate) -> None:
    estate.make_machine()
    script = base64.b64encode(b"#!/bin/sh\necho once >>/root/ran\n").decode()
    for tag in ("1", "1", "2"):
        _put(estate, settings={"script": script}, forceUpdateTag=tag).result()
    assert "[stdout]\n2\n" in estate.run("wc -l </root/ran")


def test_a_script_that_fails_fails_the_operation_and_leaves_the_extension_failed(estate: Estate) -> None:
    estate.make_machine()
    _status, code, message = refusal(_put(estate, settings={"commandToExecute": "echo no >&2; exit 3"}).result)
    assert code == "VMExtensionProvisioningError"
    assert "VM has reported a failure when processing extension 'x'" in message
    assert "command terminated with exit status=3\n[stdout]\n\n[stderr]\nno\n" in message
    assert estate.call("GET", PATH).json()["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize(
    ("settings", "protected", "text"),
    [
        ({}, {}, "either 'commandToExecute' or 'script' must be specified"),
        ({"commandToExecute": "a"}, {"commandToExecute": "b"}, "specified both in public and protected settings"),
        ({"commandToExecute": "a", "script": "YQ=="}, {}, "only one is valid"),
        ({"script": "not base64"}, {}, "failed to decode"),
    ],
)
def test_settings_that_make_no_sense_are_told(estate: Estate, settings: Json, protected: Json, text: str) -> None:
    estate.make_machine()
    begun = _put(estate, settings=settings, protectedSettings=protected)
    assert text in refusal(begun.result)[2]


def test_the_machine_shows_its_extensions(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, **LOGIN).result()
    machine = estate.call("GET", "virtualMachines/vm").json()
    assert [each["name"] for each in machine["resources"]] == ["x"]
    view = estate.call("GET", "virtualMachines/vm/instanceView").json()
    assert view["extensions"][0]["type"] == "Microsoft.Azure.ActiveDirectory.AADSSHLoginForLinux"
    assert view["vmAgent"]["extensionHandlers"][0]["status"]["displayStatus"] == "Ready"
    assert (view["osName"], view["osVersion"]) == ("debian", "12")
    listed = estate.call("GET", "virtualMachines/vm/extensions").json()["value"]
    assert [each["id"] for each in listed] == [machine["resources"][0]["id"]]
    estate.compute.virtual_machine_extensions.begin_delete("g", "vm", "x").result()
    assert "resources" not in estate.call("GET", "virtualMachines/vm").json()


def test_vm_access_makes_a_user(estate: Estate) -> None:
    estate.make_machine()
    access = {"publisher": "Microsoft.OSTCExtensions", "type": "VMAccessForLinux", "typeHandlerVersion": "1.5"}
    _put(estate, **access, protectedSettings={"username": "carol", "ssh_key": "ssh-ed25519 AAAA carol"}).result()
    assert "ssh-ed25519 AAAA carol" in estate.run("cat /home/carol/.ssh/authorized_keys")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"type": "Nope"}, 404, "ArtifactNotFound"),
        ({"typeHandlerVersion": "9.9"}, 400, "ArtifactVersionNotFound"),
        ({"publisher": None}, 400, "InvalidParameter"),
    ],
)
def test_what_cannot_be_had_is_refused(estate: Estate, change: Json, status: int, code: str) -> None:
    estate.make_machine()
    assert refusal(lambda: _put(estate, **change))[:2] == (status, code)


def test_one_extension_of_a_kind_is_enough(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, settings={"commandToExecute": "true"}).result()
    status, code, message = refusal(lambda: _put(estate, "y", settings={"commandToExecute": "true"}))
    assert (status, code) == (400, "BadRequest")
    assert "Multiple VMExtensions per handler not supported" in message


def test_a_machine_without_an_agent_that_works_takes_none(estate: Estate) -> None:
    estate.make_machine(osProfile=estate.os_profile(computerName="vm", allowExtensionOperations=False))
    assert "extension operations are disallowed" in refusal(lambda: _put(estate))[2]
    estate.make_machine("off")
    estate.compute.virtual_machines.begin_deallocate("g", "off").result()
    body = {"location": "westeurope", "properties": SCRIPT}
    answer = estate.call("PUT", "virtualMachines/off/extensions/x", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OperationNotAllowed")


def test_windows_extensions_fail_on_linux(estate: Estate) -> None:
    estate.make_machine()
    windows = {"publisher": "Microsoft.Compute", "type": "CustomScriptExtension", "typeHandlerVersion": "1.10"}
    assert refusal(_put(estate, **windows).result)[1] == "VMExtensionProvisioningError"


def test_extensions_are_listed_by_publisher_type_and_version(estate: Estate) -> None:
    images = estate.compute.virtual_machine_extension_images
    publisher = "Microsoft.Azure.Extensions"
    assert "CustomScript" in [each.name for each in images.list_types("westeurope", publisher)]
    newest = images.list_versions("westeurope", publisher, "CustomScript", top=1, orderby="name desc")[0].name
    assert images.get("westeurope", publisher, "CustomScript", newest).operating_system == "Linux"
    assert images.list_types("westeurope", "Nobody") == []
    assert refusal(lambda: images.list_versions("westeurope", publisher, "Nothing"))[0] == 404
