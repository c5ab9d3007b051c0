"""Packer's provisioners for configuration tools become those of the model, in JSON and HCL2, and can be converted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.templates.packer.conftest import BUILD, SOURCE, template
from verified_images.templates.conversion import to_native
from verified_images.templates.loading import Loaded, load_templates
from verified_images.templates.model import ChefSoloProvisioner, FileProvisioner, ShellProvisioner, SleepProvisioner
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from tests.templates.packer.conftest import Load, Mistakes

FILES = ("play.yml", "site.pp", "roles/web/main.yml", "states/top.sls", "cookbooks/web/a.rb", "key.pem", "hiera.yaml")
GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "ansible",
        {
            "playbook_file": "play.yml",
            "extra_arguments": ["-v"],
            "ansible_env_vars": ["A=1"],
            "groups": "web",
            "use_proxy": False,
            "user": "packer",
            "roles_path": "",
        },
        {"groups": ("web",), "user": "packer", "ansible_env_vars": ("A=1",), "roles_path": None},
    ),
    (
        "ansible-local",
        {"playbook_file": "play.yml", "role_paths": ["roles/web"], "clean_staging_directory": "true"},
        {"role_paths": ("roles/web",), "clean_staging_directory": True},
    ),
    (
        "puppet-masterless",
        {
            "manifest_file": "site.pp",
            "facter": {"a": "b"},
            "hiera_config_path": "hiera.yaml",
            "execute_command": "cd {{.WorkingDir}} && {{.FacterVars}} {{if .Sudo}}sudo -E {{end}}puppet apply "
            "--modulepath='{{.ModulePath}}' {{.ManifestFile}}",
        },
        {"execute_command": "cd {working_dir} &&  puppet apply --modulepath='{module_path}' {manifest_file}"},
    ),
    (
        "puppet-server",
        {"puppet_server": "p", "staging_dir": "/var/p", "working_directory": "/srv"},
        {"staging_directory": "/var/p", "working_dir": "/srv"},
    ),
    ("puppet-server", {"puppet_server": "p", "options": "--test"}, {"puppet_server": "p", "options": "--test"}),
    (
        "salt-masterless",
        {"local_state_tree": "states", "bootstrap_args": "-P", "disable_sudo": "true", "guest_os_type": ""},
        {"bootstrap_args": "-P", "disable_sudo": True},
    ),
    (
        "chef-solo",
        {
            "cookbook_paths": ["cookbooks"],
            "json": {"a": {"b": ["x", "y"]}},
            "execute_command": "{{if .Sudo}}sudo {{end}}chef-solo -c {{.ConfigPath}} -j {{.JsonPath}}",
        },
        {"execute_command": "chef-solo -c {config_path} -j {json_path}", "json_attributes": {"a": {"b": ["x", "y"]}}},
    ),
    (
        "chef-solo",
        {"cookbook_paths": ["cookbooks"], "json_string": '{"a": {"b": ["x"]}}'},
        {"json_attributes": {"a": {"b": ["x"]}}},
    ),
    ("chef-client", {"server_url": "https://c", "rubygems_url": "https://g"}, {"rubygems_url": "https://g"}),
    ("ansible-local", {"playbook_file": "play.yml", "galaxy_force_install": True}, {"galaxy_force_install": True}),
    (
        "chef-client",
        {"server_url": "https://c", "validation_key_path": "key.pem", "install_command": "x {{.Version}}"},
        {"install_command": "x {version}", "validation_key_path": "key.pem"},
    ),
    (
        "shell-local",
        {"inline": ["a"], "environment_vars": ["A=b"], "execute_command": ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"]},
        {"env": {"A": "b"}, "execute_command": ()},
    ),
    (
        "shell-local",
        {"inline": ["a"], "inline_shebang": "/bin/bash -e"},
        {"execute_command": ("/bin/bash", "-e", "{path}")},
    ),
    ("breakpoint", {"disable": "true", "note": "n"}, {"disable": True, "note": "n"}),
    ("sleep", {"duration": "5s"}, {"duration": 5.0}),
]


@pytest.fixture(autouse=True)
def _files(spec: Path) -> None:
    for name in FILES:
        (spec / name).parent.mkdir(parents=True, exist_ok=True)
        (spec / name).write_text("x")


def check(loaded: Loaded, kind: str, expected: dict[str, Any]) -> None:
    (provisioner,) = loaded.template.provisioners
    assert provisioner.kind == kind
    assert {name: getattr(provisioner, name) for name in expected} == expected


@pytest.mark.parametrize(("kind", "options", "expected"), GOOD)
def test_options_become_those_of_the_model(
    load: Load, kind: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    (from_json,) = load(template({"type": kind, "max_retries": 2, **options}))
    check(from_json, kind, expected | {"max_retries": 2})
    assert from_json.warnings == ()


@pytest.mark.parametrize(("kind", "options", "expected"), GOOD)
def test_hcl_says_the_same(load: Load, kind: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    values = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in options.items())
    (from_hcl,) = load(SOURCE + BUILD.replace("]\n", f']\n  provisioner "{kind}" {{\n{values}  }}\n'))
    check(from_hcl, kind, expected)


@pytest.mark.parametrize(("kind", "options", "expected"), GOOD)
def test_a_native_template_says_the_same(
    load: Load, spec: Path, kind: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    (loaded,) = load(template({"type": kind, **options}))
    (spec / "template.json").unlink()
    (spec / "template.yaml").write_text(to_native(loaded.template))
    native = load_template(spec / "template.yaml", environment={})
    assert native.provisioners[0].model_dump() == loaded.template.provisioners[0].model_dump()
    (again,) = load_templates(spec / "template.yaml", environment={})
    check(again, kind, expected)


def test_what_has_no_effect_is_told_with_its_reason(load: Load) -> None:
    (loaded,) = load(
        template({"type": "ansible", "playbook_file": "play.yml", "use_proxy": True, "keep_inventory_file": True})
    )
    assert [warning.message for warning in loaded.warnings] == [
        "this has no effect: Ansible reaches the machine as the build does, with its key and its pinned host keys",
        "this has no effect: the inventory leads nowhere when the build has ended",
    ]


@pytest.mark.parametrize(
    ("options", "key_path", "message"),
    [
        (
            {"type": "ansible", "playbook_file": "play.yml", "extra_argument": ["x"]},
            "provisioners[0].extra_argument",
            "unknown key 'extra_argument'; did you mean 'extra_arguments'?",
        ),
        ({"type": "ansible"}, "provisioners[0]", "the option 'playbook_file' is required"),
        (
            {"type": "chef-solo", "json_string": "[1]"},
            "provisioners[0].json_string",
            "a JSON object is needed here, as text",
        ),
        (
            {"type": "puppet-masterless", "manifest_file": "sit.pp"},
            "provisioners[0].manifest_file",
            "there is no file 'sit.pp' beside the template; did you mean 'site.pp'?",
        ),
        (
            {"type": "shell", "inline": ["a"], "execute_command": "{{.ConfigPath}} {{.Path}}"},
            "provisioners[0].execute_command",
            (
                "there is no '.ConfigPath' here; here are .BuildName, .BuilderType, .User, .ConnType, .Port, "
                ".PackerRunUUID, .Path, .Vars, .EnvVarFile; to use a variable, write {{user `name`}}"
            ),
        ),
        (
            {"type": "shell", "inline": ["a"], "execute_command": "sudo true"},
            "provisioners[0].execute_command",
            "'{{.Path}}' is needed in it, which stands for the script's path in the machine",
        ),
        (
            {"type": "shell-local", "inline": ["a"], "only_on": ["linus"]},
            "provisioners[0].only_on",
            "there is no system 'linus'; did you mean 'linux'?",
        ),
        (
            {"type": "shell", "inline": ["a"], "valid_exit_codes": [-1]},
            "provisioners[0].valid_exit_codes[0]",
            "-1 is too small; the least is 0",
        ),
    ],
)
def test_mistakes_are_told(mistakes: Mistakes, options: dict[str, Any], key_path: str, message: str) -> None:
    found = mistakes(template(options))
    assert [(path, text.split(" or in ")[0].split(";")[0]) for _, path, text in found] == [
        (key_path, message.split(";", maxsplit=1)[0])
    ]
    assert message.rsplit(";", maxsplit=1)[-1].strip() in found[0][2]


def test_what_packer_takes_in_another_way_is_told(load: Load) -> None:
    (loaded,) = load(
        template(
            {"type": "shell", "inline": ["a"], "valid_exit_codes": [0, 3010]},
            {"type": "file", "source": "play.yml", "sources": ["site.pp"], "destination": "/srv/"},
            {"type": "sleep"},
        )
    )
    shell, file, sleep = loaded.template.provisioners
    assert isinstance(shell, ShellProvisioner)
    assert isinstance(file, FileProvisioner)
    assert isinstance(sleep, SleepProvisioner)
    assert (shell.valid_exit_codes, file.sources, sleep.duration) == ((0,), ("site.pp", "play.yml"), 0)
    assert [(warning.key_path, warning.message) for warning in loaded.warnings] == [
        (
            "provisioners[0].valid_exit_codes",
            "exit codes beyond 255 are left out: no program of Linux ends with them",
        ),
    ]


def test_local_commands_for_another_system_are_left_out(load: Load) -> None:
    inner = {"type": "shell-local", "inline": ["a"]}
    (loaded,) = load(template({**inner, "only_on": ["linux"]}, {**inner, "only_on": ["windows"]}))
    assert len(loaded.template.provisioners) == 1
    assert [(warning.key_path, warning.message) for warning in loaded.warnings] == [
        ("provisioners[1].only_on", "this is left out: it is for windows")
    ]


def test_attributes_of_a_sensitive_text_are_secret(load: Load) -> None:
    provisioner = {"type": "chef-solo", "json_string": "{{user `j`}}"}
    document = json.loads(template(provisioner, variables={"j": '{"a": "s3cret!"}'}))
    (loaded,) = load(json.dumps({**document, "sensitive-variables": ["j"]}))
    assert isinstance(loaded.template.provisioners[0], ChefSoloProvisioner)
    assert isinstance(loaded.template.provisioners[0].json_attributes["a"], SecretStr)
