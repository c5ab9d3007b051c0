"""Chef and Cinc: their clients cannot be had where the tests run, so that stand-ins record how they are called."""

from __future__ import annotations

import json
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
def solo(bench: Bench) -> StandIn:
    solo = StandIn(bench, "chef-solo", "chef-solo", "cinc-solo", "curl")
    solo.write({"cookbooks/web/recipes/default.rb": "recipe", "site/own/metadata.rb": "m", "roles/web.json": "r"})
    solo.write({"environments/prod.json": "e", "bags/users/a.json": "b", "key": "k", "solo.rb": ""})
    return solo


@pytest.fixture
def client(bench: Bench) -> StandIn:
    client = StandIn(bench, "chef-client", "chef-client", "cinc-client", "knife")
    client.write({"validation.pem": "v"})
    return client


def run(tool: StandIn, **keys: object) -> None:
    tool.provision(**{"skip_install": True, "env": {"PATH": tool.path}, **keys})


def register(client: StandIn, **keys: object) -> None:
    run(client, server_url="https://chef.example.com/organizations/a", **keys)


def test_chef_solo_gets_its_tree_configuration_and_attributes(solo: StandIn) -> None:
    run(
        solo,
        cookbook_paths=["cookbooks", "site"],
        remote_cookbook_paths=["/srv/cookbooks"],
        roles_path="roles",
        environments_path="environments",
        data_bags_path="bags",
        encrypted_data_bag_secret_path="key",
        chef_environment="prod#{1}",
        run_list=["recipe[web]", "role[web]"],
        json={"web": {"token": SecretStr("hunter2"), "ports": [80, 443]}},
    )
    assert solo.calls == ["chef-solo --no-color -c STAGING/config.rb -j STAGING/attributes.json"]
    settings = dict(line.split(" ", 1) for line in solo.read("config.rb").splitlines())
    assert settings == {
        "file_cache_path": '"STAGING/file_cache_path"',
        "file_backup_path": '"STAGING/file_backup_path"',
        "node_path": '"STAGING/node_path"',
        "cookbook_path": '["/srv/cookbooks", "STAGING/cookbooks-0", "STAGING/cookbooks-1"]',
        "role_path": '"STAGING/role"',
        "data_bag_path": '"STAGING/data_bag"',
        "environment_path": '"STAGING/environment"',
        "environment": '"prod\\#{1}"',
        "encrypted_data_bag_secret": '"STAGING/data_bag_secret"',
    }
    assert json.loads(solo.read("attributes.json")) == {
        "web": {"token": "hunter2", "ports": [80, 443]},
        "run_list": ["recipe[web]", "role[web]"],
    }
    files = (
        "cookbooks-0/web/recipes/default.rb",
        "cookbooks-1/own/metadata.rb",
        "role/web.json",
        "data_bag/users/a.json",
    )
    assert all((solo.tree / file).exists() for file in files)
    assert (solo.tree / "attributes.json").stat().st_mode & 0o777 == 0o600
    assert solo.left == []


def test_chef_is_installed_where_it_is_not(solo: StandIn, bench: Bench, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (solo.bin / "curl").rename(bare / "curl")
    solo.behave("curl", f'echo "cp {solo.bin}/cinc-solo {bare}/; echo installed \\$1 \\$2" >"$3"')
    path = f"{bare}:/usr/bin:/bin"
    run(solo, product="cinc", skip_install=False, version="18", env={"PATH": path})
    assert solo.calls == [
        "curl -fsSL -o STAGING/install.sh https://omnitruck.cinc.sh/install.sh",
        "cinc-solo --no-color -c STAGING/config.rb -j STAGING/attributes.json",
    ]
    assert "installed -v 18\n" in bench.output
    assert "chef_license" not in solo.read("config.rb")
    run(solo, product="cinc", skip_install=False, env={"PATH": path})
    assert [call for call in solo.calls if "install.sh" in call] == solo.calls[:1]


def test_chef_is_installed_by_a_command_of_ones_own(solo: StandIn) -> None:
    run(solo, skip_install=False, install_command="{sudo}echo own {version}", version="18", chef_license="accept")
    assert solo.bench.output == "own 18\nchef-solo says hello\n"
    assert 'chef_license "accept"\n' in solo.read("config.rb")
    with pytest.raises(ProvisionerError, match="exit code 8 of 'install_command'"):
        run(solo, skip_install=False, install_command="exit 8")
    run(solo, skip_install=False)
    assert 'chef_license "accept-silent"\n' in solo.read("config.rb")


def test_a_command_of_ones_own_runs_chef(solo: StandIn) -> None:
    run(solo, execute_command="{sudo}chef-solo own -c {config_path} -j {json_path} ${PWD:+x}", prevent_sudo=True)
    assert solo.calls == ["chef-solo own -c STAGING/config.rb -j STAGING/attributes.json x"]


def test_a_configuration_of_ones_own_is_filled_in(solo: StandIn) -> None:
    solo.write({"solo.rb": "cookbook_path [{{.CookbookPaths}}]\nenvironment '{{ .ChefEnvironment }}'\n"})
    run(solo, config_template="solo.rb", cookbook_paths=["cookbooks"], chef_environment="prod")
    assert solo.read("config.rb") == "cookbook_path [\"STAGING/cookbooks-0\"]\nenvironment 'prod'\n"
    solo.write({"solo.rb": "{{if .HasRolesPath}}x{{end}}"})
    with pytest.raises(ProvisionerError, match=r"uses '\{\{if \.HasRolesPath\}\}', but only these are filled in"):
        run(solo, config_template="solo.rb")


def test_a_failure_names_its_place_and_shows_the_last_lines(solo: StandIn) -> None:
    solo.behave("chef-solo", "echo 'hunter2 FATAL'; exit 1")
    with pytest.raises(ProvisionerError) as caught:
        run(solo)
    where = f"provisioner 1 (chef-solo) at {solo.bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 1 of 'chef-solo'", str(caught.value))
    assert caught.value.tail.endswith("*** FATAL")
    assert solo.left == []
    solo.behave("chef-solo", "exit 35")
    run(solo, valid_exit_codes=[0, 35])


def test_chef_client_is_registered_and_removed_again(client: StandIn) -> None:
    client.behave("chef-client", f"cp {client.staging}/config.rb {client.record}")
    register(
        client,
        node_name="web",
        validation_key_path="validation.pem",
        validation_client_name="validator",
        ssl_verify_mode="verify_none",
        trusted_certs_dir="/etc/chef/certs",
        policy_name="web",
        policy_group="prod",
    )
    assert client.calls == [
        "chef-client --no-color -c STAGING/config.rb -j STAGING/attributes.json",
        "knife node delete web --yes -c STAGING/config.rb",
        "knife client delete web --yes -c STAGING/config.rb",
    ]
    lines = client.read("config.rb").splitlines()
    assert set(lines) >= {
        'chef_server_url "https://chef.example.com/organizations/a"',
        'node_name "web"',
        'client_key "STAGING/client.pem"',
        'validation_client_name "validator"',
        'validation_key "STAGING/validation.pem"',
        'policy_name "web"',
        'policy_group "prod"',
        "ssl_verify_mode :verify_none",
        'trusted_certs_dir "/etc/chef/certs"',
    }
    assert client.read("validation.pem") == "v"
    assert client.left == []


def test_a_client_that_failed_leaves_the_server_too(client: StandIn) -> None:
    client.behave("chef-client", "exit 1")
    client.behave("knife", "exit 1")
    with pytest.raises(ProvisionerError, match="exit code 1 of 'chef-client'"):
        register(client)
    assert client.calls[1:] == [f"knife node delete packer-{client.bench.run.id} --yes -c STAGING/config.rb"]
    client.behave("chef-client", "exit 0")
    with pytest.raises(ProvisionerError, match="exit code 1 of 'knife node'"):
        register(client)


def test_what_is_to_stay_at_the_server_stays(client: StandIn) -> None:
    register(client, product="cinc", skip_clean_node=True, node_name="web", knife_command="{sudo}knife own {args}")
    assert client.calls[0].startswith("cinc-client ")
    assert client.calls[1:] == ["knife own client delete web --yes -c STAGING/config.rb"]
    register(client, skip_clean_node=True, skip_clean_client=True, skip_clean_staging_directory=True)
    assert len(client.calls) == 3
    assert len(client.left) == 1
    client.bench.session.run(f"rm -r {client.staging}")


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("chef-client", {}, "Field required"),
        ("chef-client", {"server_url": "x", "policy_name": "x"}, "'policy_name' and 'policy_group' go together"),
        (
            "chef-client",
            {"server_url": "x", "policy_name": "x", "policy_group": "x", "run_list": "x"},
            "'run_list' has no effect beside 'policy_name'",
        ),
        ("chef-solo", {"cookbook_path": "x"}, "did you mean 'cookbook_paths'"),
        ("chef-solo", {"run_list": SecretStr("x")}, "a secret would stand on a command line here"),
    ],
)
def test_mistakes_are_told_when_the_template_is_loaded(kind: str, keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        read_provisioner({kind: keys})
