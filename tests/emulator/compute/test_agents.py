"""Run Command and boot diagnostics: what the platform does with a guest without the network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests

from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate, Json

DIAGNOSTICS = {"bootDiagnostics": {"enabled": True}}


def _run(estate: Estate, **body: Json) -> Json:
    return estate.compute.virtual_machines.begin_run_command("g", "vm", {"commandId": "RunShellScript", **body})


def test_a_script_runs_as_root_and_its_output_comes_back(estate: Estate) -> None:
    estate.make_machine()
    result = _run(estate, script=["id -u", "echo wrong >&2"]).result().value[0]
    assert result.message == "Enable succeeded: \n[stdout]\n0\n\n[stderr]\nwrong\n"
    assert (result.code, result.display_status) == ("ProvisioningState/succeeded", "Provisioning succeeded")


def test_parameters_are_arguments_and_variables(estate: Estate) -> None:
    estate.make_machine()
    parameters = [{"name": "greeting", "value": "it's me"}, {"name": "second", "value": "2"}]
    message = _run(estate, script=['echo "$greeting/$1/$2"'], parameters=parameters).result().value[0].message
    assert "it's me/it's me/2" in message


def test_a_script_that_fails_says_so_in_its_message(estate: Estate) -> None:
    estate.make_machine()
    assert _run(estate, script=["exit 3"]).result().value[0].message.startswith("Enable failed")


def test_long_output_is_cut_to_its_end(estate: Estate) -> None:
    estate.make_machine()
    message = _run(estate, script=["seq 1 5000"]).result().value[0].message
    assert "\n5000\n" in message
    assert len(message) < 4200


def test_a_machine_that_is_off_runs_nothing(estate: Estate) -> None:
    estate.make_machine()
    estate.compute.virtual_machines.begin_power_off("g", "vm").result()
    assert refusal(lambda: _run(estate, script=["true"]))[:2] == (409, "OperationNotAllowed")


def test_one_script_runs_at_a_time(estate: Estate) -> None:
    estate.make_machine()
    first = _run(estate, script=["sleep 2; echo first"])
    status, code, message = refusal(lambda: _run(estate, script=["true"]))
    assert (status, code) == (409, "Conflict")
    assert "in progress" in message
    assert "first" in first.result().value[0].message


def test_a_deallocation_ends_a_script(estate: Estate) -> None:
    estate.make_machine()
    running = _run(estate, script=["sleep 60"])
    ended: list[int] = []
    waiting = threading.Thread(target=lambda: ended.append(refusal(running.result)[0]))
    waiting.start()
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    waiting.join(10)
    assert ended


def _log_url(estate: Estate) -> str:
    return str(estate.compute.virtual_machines.retrieve_boot_diagnostics_data("g", "vm").serial_console_log_blob_uri)


def _fetch(estate: Estate, url: str) -> requests.Response:
    return requests.get(url, verify=str(estate.azure.cloud.ca_bundle), timeout=10)


def test_the_serial_log_is_read_at_a_signed_url(estate: Estate) -> None:
    estate.make_machine(diagnosticsProfile=DIAGNOSTICS)
    answer = _fetch(estate, _log_url(estate))
    assert answer.status_code == 200
    assert "BEGIN SSH HOST KEY" in answer.text


@pytest.mark.parametrize("change", [("sig=", "sig=0"), ("se=", "se=9"), ("/vm.", "/../vm.")])
def test_a_url_that_was_tampered_with_is_refused(estate: Estate, change: tuple[str, str]) -> None:
    estate.make_machine(diagnosticsProfile=DIAGNOSTICS)
    assert _fetch(estate, _log_url(estate).replace(*change)).status_code in {403, 404}


def test_a_url_expires(estate: Estate) -> None:
    estate.make_machine(diagnosticsProfile=DIAGNOSTICS)
    path = "virtualMachines/vm/retrieveBootDiagnosticsData?sasUriExpirationTimeInMinutes="
    assert estate.call("POST", path + "0").status_code == 400
    assert estate.call("POST", path + "x").status_code == 400
    assert estate.call("POST", path + "5").status_code == 200


def test_boot_diagnostics_are_to_be_enabled(estate: Estate) -> None:
    estate.make_machine()
    assert refusal(lambda: _log_url(estate))[0] == 409


def test_what_is_left_of_a_deleted_machine_cannot_be_read(estate: Estate) -> None:
    estate.make_machine(diagnosticsProfile=DIAGNOSTICS)
    url = _log_url(estate)
    estate.compute.virtual_machines.begin_delete("g", "vm").result()
    assert _fetch(estate, url).text == ""
