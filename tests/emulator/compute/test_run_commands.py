"""Run commands kept as resources, and the list of those that a location offers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json

PATH = "virtualMachines/vm/runCommands/c"


def _put(estate: Estate, script: str = "true", **properties: Json) -> Json:
    body = {"location": "westeurope", "properties": {"source": {"script": script}, **properties}}
    return estate.compute.virtual_machine_run_commands.begin_create_or_update("g", "vm", "c", body)


def _view(estate: Estate) -> Json:
    return estate.call("GET", f"{PATH}?$expand=instanceView").json()["properties"]["instanceView"]


def test_a_script_is_kept_and_its_outcome_is_shown_on_demand(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, "echo $0 $1 $secret; nope", protectedParameters=[{"name": "secret", "value": "planted"}]).result()
    shown = estate.call("GET", PATH)
    assert shown.json()["properties"] == {
        "source": {"script": "echo $0 $1 $secret; nope"},
        "timeoutInSeconds": 0,
        "provisioningState": "Succeeded",
        "asyncExecution": False,
    }
    view = _view(estate)
    assert (view["exitCode"], view["executionState"]) == (127, "Failed")
    assert view["executionMessage"] == (
        "Execution failed: failed to execute command: command terminated with exit status=127"
    )
    assert view["output"] == "/var/lib/waagent/run-command-handler/download/c/0/script.sh planted planted\n"
    assert "not found" in view["error"]
    assert "planted" not in shown.text


def test_a_change_runs_it_again_and_a_deletion_forgets_it(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, "echo one").result()
    commands = estate.compute.virtual_machine_run_commands
    commands.begin_update("g", "vm", "c", {"properties": {"source": {"script": "echo two"}}}).result()
    assert _view(estate)["output"] == "two\n"
    assert [each.name for each in commands.list_by_virtual_machine("g", "vm")] == ["c"]
    commands.begin_delete("g", "vm", "c").result()
    assert estate.call("GET", PATH).status_code == 404


def test_an_asynchronous_one_goes_on_after_its_operation_and_a_deletion_ends_it(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, "echo begun; sleep 60", asyncExecution=True).result()
    deadline = time.monotonic() + 10
    while _view(estate)["executionState"] != "Running":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    estate.compute.virtual_machine_run_commands.begin_delete("g", "vm", "c").result()
    assert time.monotonic() - began < 20
    assert "[stdout]\n0\n" in estate.run("ps | grep -c '[s]leep 60'")


def test_a_user_is_who_runs_it(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, "id -un", runAsUser="azureuser").result()
    assert (_view(estate)["error"], _view(estate)["output"]) == ("", "azureuser\n")
    _put(estate, "id -un", runAsUser="nobody-here").result()
    assert _view(estate)["executionState"] == "Failed"


def test_failures_fail_the_deployment_on_demand(estate: Estate) -> None:
    estate.make_machine()
    assert refusal(_put(estate, "exit 1", treatFailureAsDeploymentFailure=True).result)[1]
    assert estate.call("GET", PATH).json()["properties"]["provisioningState"] == "Failed"


def test_a_time_that_is_up_is_told(estate: Estate) -> None:
    estate.make_machine()
    _put(estate, "sleep 30", timeoutInSeconds=1).result()
    assert _view(estate)["executionState"] == "TimedOut"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({}, "InvalidParameter"),
        ({"source": {"script": "a", "commandId": "ifconfig"}}, "InvalidParameter"),
        ({"source": {"commandId": "nope"}}, "NotFound"),
    ],
)
def test_a_source_that_is_none_is_refused(estate: Estate, properties: Json, code: str) -> None:
    estate.make_machine()
    answer = estate.call("PUT", PATH, {"location": "westeurope", "properties": properties})
    assert answer.json()["error"]["code"] == code


def test_a_location_lists_the_commands_that_it_knows(estate: Estate) -> None:
    base = f"/subscriptions/{estate.azure.cloud.account.subscription_id}/providers/Microsoft.Compute/locations/westus"
    listed = estate.call("GET", f"{base}/runCommands").json()["value"]
    assert {"RunShellScript", "RunPowerShellScript", "ifconfig"} <= {each["id"] for each in listed}
    one = estate.call("GET", f"{base}/runCommands/runshellscript").json()
    assert [*one] == ["script", "parameters", "$schema", "id", "osType", "label", "description"]
    assert estate.call("GET", f"{base}/runCommands/nope").status_code == 404


def test_a_known_command_needs_no_script(estate: Estate) -> None:
    estate.make_machine()
    run = estate.compute.virtual_machines.begin_run_command
    assert run("g", "vm", {"commandId": "ifconfig"}).result().value[0].message.startswith("Enable")
    assert refusal(lambda: run("g", "vm", {"commandId": "IPConfig"}))[0] == 409
    assert refusal(lambda: run("g", "vm", {"commandId": "nope"}))[0] == 404
