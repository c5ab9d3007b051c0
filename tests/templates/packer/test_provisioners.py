"""The provisioners and post-processors of Packer templates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from tests.templates.packer.conftest import Load, Mistakes, template, warnings_of
from verified_images.templates.model import FileProvisioner, Provisioner, ShellProvisioner, reveal
from verified_images.templates.packer.execute_command import (
    ENV_FILE,
    PATH,
    VARS,
    SecretOnCommandLineError,
    read_command,
)

SECRET = "s3cr3t-t0ken"
WAAGENT = "/usr/sbin/waagent -force -deprovision+user && export HISTSIZE=0 && sync"


def shell(load: Load, **options: Any) -> Provisioner:  # noqa: ANN401 - options
    return load(template({"type": "shell", **options}))[0].template.provisioners[0]


class TestShell:
    def test_has_all_options_of_packers(self, load: Load) -> None:
        found = shell(
            load,
            inline=["a", "b"],
            environment_vars=["A=b=c", "D="],
            env={"E": 1},
            valid_exit_codes=[0, "2"],
            expect_disconnect=True,
            pause_before="10s",
            pause_after="1m",
            max_retries="3",
            timeout="5m",
        )
        assert found == ShellProvisioner(
            inline=("a", "b"),
            env={"A": "b=c", "D": "", "E": "1"},
            valid_exit_codes=(0, 2),
            expect_disconnect=True,
            pause_before=10.0,
            pause_after=60.0,
            max_retries=3,
            timeout=300.0,
        ).placed(1, 17)

    def test_runs_scripts_that_are_beside_the_template(self, load: Load, mistakes: Mistakes) -> None:
        assert shell(load, script="scripts/install.sh").script == "scripts/install.sh"  # type: ignore[attr-defined]
        ((_, path, message),) = mistakes(template({"type": "shell", "scripts": ["scripts/instal.sh"]}))
        assert path == "provisioners[0].scripts[0]"
        assert message.startswith("there is no file 'scripts/instal.sh' beside the template or in '")
        assert message.endswith("; did you mean 'install.sh'?")

    @pytest.mark.parametrize(
        ("options", "command"),
        [
            ({"inline": ["a"], "inline_shebang": "/bin/bash -ex"}, "/bin/bash -ex {path}"),
            ({"inline": ["#!/usr/bin/env python3\nprint()"]}, "/usr/bin/env python3 {path}"),
            ({"inline": ["a"], "inline_shebang": "/bin/sh -e"}, None),
            ({"script": "scripts/install.sh", "inline_shebang": "/bin/bash"}, None),
        ],
    )
    def test_runs_commands_with_the_program_that_they_are_for(
        self, load: Load, options: dict[str, Any], command: str | None
    ) -> None:
        assert shell(load, **options).execute_command == command  # type: ignore[attr-defined]

    @pytest.mark.parametrize("option", ["remote_folder", "remote_path", "skip_clean", "use_env_var_file", "binary"])
    def test_warns_of_options_without_effect(self, load: Load, option: str) -> None:
        ((path, message),) = warnings_of(load(template({"type": "shell", "inline": "a", option: "true"})))
        assert path == f"provisioners[0].{option}"
        assert message.startswith("this has no effect: ")

    def test_refuses_what_is_no_variable(self, mistakes: Mistakes) -> None:
        text = template({"type": "shell", "inline": "a", "environment_vars": ["A"]})
        assert [found[1:] for found in mistakes(text)] == [
            ("provisioners[0].environment_vars[0]", "NAME=VALUE is needed here"),
        ]

    def test_keeps_secrets_off_the_command_line(self, mistakes: Mistakes) -> None:
        step = {
            "type": "shell",
            "inline": "a",
            "environment_vars": ["TOKEN={{user `token`}}"],
            "execute_command": "su -c '{{.Vars}} {{.Path}}'",
        }
        document = json.loads(template(step, variables={"token": SECRET})) | {"sensitive-variables": ["token"]}
        ((_, path, message),) = mistakes(json.dumps(document))
        assert path == "provisioners[0].execute_command"
        assert message.startswith("this would put a sensitive variable on a command line")


@pytest.mark.parametrize(
    ("text", "sudo", "command"),
    [
        ("P", False, None),
        ("chmod +x P; V P", False, None),
        ("chmod +x 'P'; V sudo -E sh 'P'", True, "sh {path}"),
        ("sudo sh -c 'V P'", True, None),
        ("echo 'packer' | sudo -S -E bash 'P'", True, "bash {path}"),
        ("echo packer | V sudo -S -E bash -eux 'P'", True, "bash -eux {path}"),
        ("sudo env V /bin/bash P", True, "/bin/bash {path}"),
        ("sudo -H -n V P", True, None),
        ('/bin/bash -c "V P"', False, None),
        ("chmod +x P; . F && P", False, None),
        ("cloud-init status --wait && sudo -E sh P", False, "cloud-init status --wait && sudo -E sh {path}"),
        ("su -c 'V P' root", False, "su -c 'A='b'  '{path}'' root"),
        ('x "P y"', False, 'x ""{path}" y"'),
        ("x 'P'", False, "x ''{path}''"),
    ],
)
def test_an_execute_command_is_understood(text: str, sudo: bool, command: str | None) -> None:  # noqa: FBT001 - expected
    text = text.replace("P", PATH).replace("V ", f"{VARS} ").replace(". F", f". {ENV_FILE}")
    found = read_command(text, {"A": "b"})
    assert (found.sudo, found.command) == (sudo, command)


def test_an_execute_command_that_needs_a_secret_is_refused() -> None:
    assert read_command(f"{VARS} sudo -E {PATH}", {"A": SecretStr(SECRET)}).sudo
    with pytest.raises(SecretOnCommandLineError):
        read_command(f"su -c '{VARS} {PATH}'", {"A": SecretStr(SECRET)})


class TestDeprovisioning:
    @pytest.mark.parametrize(
        "inline",
        [
            WAAGENT,
            ["sleep 30", WAAGENT],
            ["sudo waagent -deprovision+user -force", "rm -f ~/.bash_history; history -c"],
            "sudo /usr/sbin/waagent -force -deprovision && sync",
        ],
    )
    def test_by_the_template_is_left_out(self, load: Load, inline: object) -> None:
        loaded = load(template({"type": "shell", "inline": "a"}, {"type": "shell", "inline": inline}))
        assert len(loaded[0].template.provisioners) == 1
        assert warnings_of(loaded) == [
            (
                "provisioners[1].inline",
                (
                    "this step is left out: the machine is deprovisioned in any case, after its tests "
                    "and before the capture"
                ),
            ),
        ]

    def test_at_the_end_of_other_commands_is_left_out(self, load: Load) -> None:
        loaded = load(template({"type": "shell", "inline": ["apt-get update", "sync", WAAGENT]}))
        (found,) = loaded[0].template.provisioners
        assert isinstance(found, ShellProvisioner)
        assert found.inline == ("apt-get update",)
        assert "the last of these commands are left out" in warnings_of(loaded)[0][1]

    def test_among_other_things_is_warned_of(self, load: Load) -> None:
        loaded = load(template({"type": "shell", "inline": [f"{WAAGENT} && ./after.sh"]}))
        assert len(loaded[0].template.provisioners) == 1
        assert "deprovisions the machine, among other things" in warnings_of(loaded)[0][1]


def test_the_file_provisioner_has_all_options_of_packers(load: Load) -> None:
    found = load(
        template(
            {"type": "file", "source": "page.html", "destination": "/x", "direction": "upload"},
            {"type": "file", "sources": ["page.html"], "destination": "/x/", "max_retries": 1},
            {"type": "file", "content": "text", "destination": "/x"},
            {"type": "file", "source": "made-later", "destination": "/x", "generated": True},
            {"type": "file", "source": "/var/log/x", "destination": "logs/", "direction": "download"},
        )
    )[0].template.provisioners
    assert [provisioner.kind for provisioner in found] == ["file"] * 5
    assert isinstance(found[3], FileProvisioner)
    assert found[3].generated
    assert isinstance(found[2], FileProvisioner)
    assert reveal(found[2].content or "") == "text"


def test_provisioners_for_windows_are_loaded(load: Load) -> None:
    found = load(
        template(
            {
                "type": "powershell",
                "inline": "a",
                "environment_vars": ["A=b"],
                "elevated_user": "SYSTEM",
                "elevated_password": "{{.WinRMPassword}}",
            },
            {"type": "windows-shell", "inline": ["a"]},
            {"type": "windows-restart", "restart_timeout": "15m", "restart_command": "powershell {{.Path}}"},
            {"type": "windows-update", "filters": ["x"]},
            os_type="Windows",
            communicator="winrm",
        )
    )[0].template
    assert [provisioner.kind for provisioner in found.provisioners] == [
        "powershell",
        "windows-shell",
        "windows-restart",
        "windows-update",
    ]
    assert found.builder.os_type == "Windows"


def test_an_option_that_a_provisioner_for_windows_lacks_is_told(mistakes: Mistakes) -> None:
    assert [found[1:] for found in mistakes(template({"type": "powershell", "inlin": "a"}))] == [
        ("provisioners[0].inlin", "unknown key 'inlin'; did you mean 'inline'?"),
    ]


def test_a_file_may_be_named_with_the_backslashes_of_windows(load: Load) -> None:
    (loaded,) = load(template({"type": "powershell", "script": "scripts\\install.sh"}, os_type="Windows"))
    found = loaded.template.provisioners[0]
    assert list(found.named_files()) == [(("script",), "scripts/install.sh")]
