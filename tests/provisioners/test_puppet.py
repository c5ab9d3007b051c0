from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from tests.provisioners.stand_in import StandIn
from verified_images.errors import ProvisionerError
from verified_images.templates.provisioners import read_provisioner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioners.machine import Bench


@pytest.fixture
def puppet(bench: Bench) -> StandIn:
    puppet = StandIn(bench, "puppet-masterless", "puppet")
    files = {"manifests/site": "node default {}", "modules/web/init": "m", "hiera": "version: 5"}
    puppet.write(files)
    return puppet


def apply(puppet: StandIn, **keys: object) -> None:
    puppet.provision(manifest_file="manifests/site", puppet_bin_dir=str(puppet.bin), **keys)


def test_the_manifest_is_applied_with_its_modules_hiera_and_facts(puppet: StandIn) -> None:
    apply(
        puppet,
        module_paths=["modules"],
        hiera_config_path="hiera",
        facter={"role": "web", "token": SecretStr("hunter2")},
        env={"PUPPET": "x"},
        extra_arguments=["--noop", "a b"],
    )
    assert puppet.calls == [
        (
            "puppet apply --detailed-exitcodes --modulepath=STAGING/modules-0 --hiera_config=STAGING/hiera.yaml "
            "--noop a b STAGING/manifests/site"
        )
    ]
    facts = {name: value for name, value in puppet.environment.items() if name.startswith("FACTER_")}
    assert facts == {
        "FACTER_role": "web",
        "FACTER_token": "hunter2",
        "FACTER_packer_build_name": "debian-nginx",
        "FACTER_packer_builder_type": "azure-arm",
    }
    assert puppet.environment["PUPPET"] == "x"
    assert puppet.read("manifests/site") == "node default {}"
    assert puppet.read("modules-0/web/init") == "m"
    assert puppet.tree.stat().st_mode & 0o077 == 0
    assert puppet.bench.output == "puppet says hello\n"
    assert puppet.left == []


def test_two_means_changes_and_any_other_exit_code_a_failure(puppet: StandIn) -> None:
    puppet.behave("puppet", "exit 2")
    apply(puppet)
    puppet.behave("puppet", "echo 'hunter2 went wrong' >&2; exit 4")
    with pytest.raises(ProvisionerError) as caught:
        apply(puppet)
    where = f"provisioner 1 (puppet-masterless) at {puppet.bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 4 of 'puppet'", str(caught.value))
    assert caught.value.tail.endswith("*** went wrong")
    assert puppet.left == []
    apply(puppet, ignore_exit_codes=True)
    apply(puppet, valid_exit_codes=[4])
    with pytest.raises(ProvisionerError, match="exit code 4"):
        apply(puppet, max_retries=1)
    assert len(puppet.calls) == 6


def test_a_folder_of_manifests_goes_with_the_manifest(puppet: StandIn) -> None:
    puppet.write({"manifests/other": "other"})
    apply(puppet, manifest_dir="manifests", working_directory="/")
    assert puppet.read("manifests/other") == "other"
    assert (puppet.record / "folder").read_text() == "/\n"


def test_a_command_of_ones_own_runs_puppet(puppet: StandIn) -> None:
    command = "cd {working_dir} && puppet own {module_path} {manifest_file} {extra_arguments} ${X:-none} {unknown}"
    apply(puppet, module_paths="modules", execute_command=command, extra_arguments="-t")
    assert puppet.calls == ["puppet own STAGING/modules-0 STAGING/manifests/site -t none {unknown}"]


def test_a_staging_folder_of_ones_own_is_removed_unless_it_was_there(puppet: StandIn, tmp_path: Path) -> None:
    own = tmp_path / "own"
    apply(puppet, staging_directory=str(own))
    assert not own.exists()
    apply(puppet, staging_directory=str(own), clean_staging_directory=False)
    assert (own / "manifests/site").exists()
    there = tmp_path / "there"
    there.mkdir()
    apply(puppet, staging_directory=str(there))
    assert there.exists()
    with pytest.raises(ProvisionerError, match="the folder '/proc/x' cannot be made on the machine: "):
        apply(puppet, staging_directory="/proc/x")


def test_a_restart_is_waited_for_and_the_manifest_applied_again(
    puppet: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_down = iter([True, False])
    monkeypatch.setattr("verified_images.provisioners.command.is_going_down", lambda _session: next(going_down))
    back: list[str] = []
    monkeypatch.setattr("verified_images.provisioners.command.come_back", lambda _s, before, _a: back.append(before))
    apply(puppet, expect_disconnect=True)
    assert len(puppet.calls) == 2
    assert back == [puppet.bench.session.boot_id()]
    monkeypatch.setattr("verified_images.provisioners.command.is_going_down", lambda _session: True)
    with pytest.raises(ProvisionerError, match="it restarted the machine 10 times and has still not come to its end"):
        apply(puppet, expect_disconnect=True)
    assert puppet.left == []


def test_its_time_can_be_up(puppet: StandIn) -> None:
    puppet.behave("puppet", "sleep 30")
    with pytest.raises(ProvisionerError, match="its time of 1 s was up"):
        apply(puppet, timeout="1s")
    assert puppet.left == []


def test_puppet_that_is_not_there_is_told_of(puppet: StandIn) -> None:
    (puppet.bin / "puppet").unlink()
    with pytest.raises(ProvisionerError, match="exit code 127 of 'puppet'") as caught:
        apply(puppet)
    assert "puppet: not found" in caught.value.tail.replace("command not found", "not found")


def test_the_agent_is_run_against_its_server(bench: Bench) -> None:
    puppet = StandIn(bench, "puppet-server", "puppet")
    puppet.write({"certs/web": "c", "keys/web": "k"})
    puppet.behave("puppet", "exit 2")
    puppet.provision(
        puppet_server="puppet.example.com",
        puppet_node="web",
        client_cert_path="certs",
        client_private_key_path="keys",
        facter={"role": "web"},
        extra_arguments=["--test"],
        options="--waitforcert 5",
        puppet_bin_dir=str(puppet.bin),
    )
    assert puppet.calls == [
        (
            "puppet agent --onetime --no-daemonize --detailed-exitcodes --server=puppet.example.com --certname=web "
            "--certdir=STAGING/certs --privatekeydir=STAGING/private_keys --waitforcert 5 --test"
        )
    ]
    assert puppet.read("private_keys/web") == "k"
    assert puppet.environment["FACTER_role"] == "web"
    assert puppet.left == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"manifest_file": "x", "extra_arguments": [SecretStr("x")]}, "a secret would stand on a command line here"),
        ({"manifest_file": "x", "hiera_config": "y"}, "unknown key 'hiera_config'; did you mean 'hiera_config_path'"),
        ({"manifest_file": "x", "facter": {"a-b": "y"}}, "'a-b' is not the name of an environment variable"),
    ],
)
def test_mistakes_are_told_when_the_template_is_loaded(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        read_provisioner({"puppet-masterless": keys})


def test_every_file_is_asked_for_when_the_template_is_loaded() -> None:
    keys = {"manifest_file": "a", "manifest_dir": "b", "hiera_config_path": "c", "module_paths": ["d"]}
    provisioner = read_provisioner({"puppet-masterless": keys})
    assert [name for _, name in provisioner.named_files()] == ["a", "b", "c", "d"]
