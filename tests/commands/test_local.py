"""``verified-images local``: what is asked of, and told to, a local Azure that another process serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.commands.conftest import Run


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("local")
    with LocalCloud(folder / "azure", Options(hypervisor="fake", cache=folder / "cache", announced=True)) as cloud:
        yield cloud


def test_rules_are_set_from_a_file_added_listed_and_cleared(run: Run, served: LocalCloud, tmp_path: Path) -> None:
    rules = tmp_path / "faults.yaml"
    rules.write_text("- {fault: in_use, name: busy, type: Microsoft.Network/*}\n")
    state = ("--state", served.state)
    assert run("local", "faults", *state)[:2] == (0, "no fault rules\n")
    assert run("local", "faults", *state, "--set", rules)[0] == 0
    code, written, _ = run("local", "faults", *state, "--add", "fault=throttled, nth=2")
    assert (code, written.splitlines()[0]) == (0, "fault=in_use, name=busy, type=Microsoft.Network/*, seen=0, hit=0")
    assert served.faults.describe()[1]["nth"] == 2
    assert run("local", "faults", *state, "--remove", "busy")[0] == 0
    assert run("local", "faults", *state, "--clear")[:2] == (0, "no fault rules\n")


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--add", "fault=none", "there is no fault 'none'"),
        ("--add", "nonsense", "a fault rule has no field 'nonsense'"),
        ("--remove", "nothing", "There is no fault rule 'nothing'."),
        ("--set", "missing.yaml", "missing.yaml: the fault rules cannot be read"),
    ],
)
def test_a_wrong_rule_is_refused_in_a_sentence(
    run: Run, served: LocalCloud, option: str, value: str, complaint: str
) -> None:
    code, _, complaints = run("local", "faults", "--state", served.state, option, value)
    assert code == 1
    assert complaint in complaints


def test_an_application_is_made_and_listed(run: Run, served: LocalCloud) -> None:
    state = ("--state", served.state)
    code, written, _ = run("local", "applications", *state, "--add", "ci", "--role", "Reader")
    assert code == 0
    client = written.partition("AZURE_CLIENT_ID=")[2].partition("\n")[0]
    assert f"{client}  ci\n" in run("local", "applications", *state)[1]
    assert client not in run("local", "applications", *state, "--remove", client)[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--issuer", "https://issuer"), "--issuer and --subject belong together"),
        (("--role", "Emperor"), "'Emperor' does not exist"),
        (("--certificate", "missing.pem"), "missing.pem"),
    ],
)
def test_a_wrong_application_is_refused(
    run: Run, served: LocalCloud, arguments: tuple[str, str], complaint: str
) -> None:
    code, _, complaints = run("local", "applications", "--state", served.state, "--add", "x", *arguments)
    assert code == 1
    assert complaint in complaints


def test_calls_are_counted(run: Run, served: LocalCloud) -> None:
    code, written, _ = run("local", "statistics", "--state", served.state)
    assert code == 0
    assert set(json.loads(written)) == {"calls", "statuses", "polls"}


def test_clients_of_azure_itself_are_led_by_a_proxy_and_told_no_other_endpoint(run: Run, served: LocalCloud) -> None:
    _, written, _ = run("local", "env", "--state", served.state, "--as-azure")
    assert f"export HTTPS_PROXY={served.proxy.replace('socks5', 'http')}\n" in written
    assert f"export SSL_CERT_FILE={served.ca_bundle}\n" in written
    assert served.endpoint not in written


def test_clients_of_custom_clouds_are_told_the_endpoint_and_no_proxy(run: Run, served: LocalCloud) -> None:
    _, written, _ = run("local", "env", "--state", served.state)
    assert f"export ARM_ENDPOINT={served.endpoint}\n" in written
    assert f"export AZURE_CLIENT_ID={served.account.client_id}\n" in written
    assert "HTTPS_PROXY" not in written


@pytest.mark.parametrize("command", ["faults", "applications", "statistics", "env"])
def test_where_nothing_is_served_that_is_said(run: Run, tmp_path: Path, command: str) -> None:
    code, _, complaints = run("local", command, "--state", tmp_path)
    assert code == 1
    assert "no local Azure is served on" in complaints


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--scale", "-1"), "the scale of the timing cannot be -1"), (("--faults", "none.yaml"), "cannot be read")],
)
def test_a_wrong_setting_is_refused_before_anything_is_served(
    run: Run, tmp_path: Path, arguments: tuple[str, str], complaint: str
) -> None:
    code, _, complaints = run("local", "serve", "--hypervisor", "fake", "--state", tmp_path / "azure", *arguments)
    assert code == 2
    assert complaint in complaints
    assert not (tmp_path / "azure").exists()
