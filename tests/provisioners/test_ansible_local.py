"""Ansible runs for real where the session leads to, which is here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from tests.provisioners.stand_in import StandIn
from verified_images.errors import ProvisionerError
from verified_images.templates.provisioners import read_provisioner

if TYPE_CHECKING:
    from tests.provisioners.machine import Bench

BIN = Path(sys.executable).parent


@pytest.fixture
def local(bench: Bench) -> StandIn:
    return StandIn(bench, "ansible-local", "ansible-playbook", "ansible-galaxy")


def run(local: StandIn, **keys: object) -> None:
    local.provision(env={"PATH": local.path}, **keys)


def test_a_playbook_runs_with_its_roles_variables_and_groups(bench: Bench) -> None:
    local = StandIn(bench, "ansible-local")
    done = bench.folder / "done"
    words = "colour, size, token, group_names[0], packer_build_name"
    task = f"- raw: printf %s {{{{ [{words}] | join(' ') | quote }}}} > {done}\n"
    local.write({"roles/web/tasks/main.yml": task, "gv/db": "colour: blue\n", "hv/127.0.0.1": "size: large\n"})
    local.write({"play": "- hosts: db\n  gather_facts: false\n  roles: [web]\n"})
    local.provision(
        playbook_file="play",
        role_paths=["roles/web"],
        group_vars="gv",
        host_vars="hv",
        inventory_groups=["db"],
        extra_arguments=["-v", "--extra-vars", SecretStr("token=hunter2")],
        command=f"ANSIBLE_NOCOLOR=1 {BIN}/ansible-playbook",
    )
    assert done.read_text() == "blue large hunter2 db debian-nginx"
    assert "hunter2" not in bench.output
    assert "PLAY RECAP" in bench.output
    assert local.left == []


def test_a_failure_shows_the_last_lines_of_the_play(bench: Bench) -> None:
    local = StandIn(bench, "ansible-local")
    local.write({"play": "- hosts: all\n  gather_facts: false\n  tasks: [raw: 'echo broken; exit 3']\n"})
    with pytest.raises(ProvisionerError, match="with exit code 2 of 'play'") as caught:
        local.provision(playbook_file="play", command=f"{BIN}/ansible-playbook")
    assert "broken" in caught.value.tail
    assert local.left == []


def test_roles_are_installed_in_the_machine(bench: Bench) -> None:
    local = StandIn(bench, "ansible-local")
    done = bench.folder / "done"
    tasks, about = f"- raw: echo role > {done}\n", "galaxy_info: {author: a}\n"
    local.write({"role/tasks/main.yml": tasks, "role/meta/main.yml": about})
    subprocess.run(["tar", "-czf", bench.folder / "role.tgz", "-C", bench.folder / "role", "."], check=True)
    local.write({"requirements.yml": f"- {{src: 'file://{bench.folder}/role.tgz', name: own}}\n"})
    local.write({"play": "- hosts: all\n  gather_facts: false\n  roles: [own]\n"})
    local.provision(
        playbook_file="play",
        galaxy_file="requirements.yml",
        galaxy_command=f"{BIN}/ansible-galaxy",
        command=f"{BIN}/ansible-playbook",
    )
    assert done.read_text() == "role\n"


def test_several_playbooks_of_a_folder_run_where_they_are(local: StandIn) -> None:
    names = ("books/one", "books/sub/two", "books/vars", "three", "extra/x", "own/ns/c", "hosts")
    local.write(dict.fromkeys(names, "x"))
    run(
        local,
        playbook_dir="books",
        playbook_files=["one", "books/sub/two", "three"],
        playbook_paths=["extra"],
        collection_paths=["own/ns"],
        inventory_file="hosts",
    )
    variables = '-e {"packer_build_name": "debian-nginx", "packer_builder_type": "azure-arm"}'
    assert local.calls == [
        f"ansible-playbook -c local -i STAGING/hosts {variables} STAGING/{name}" for name in ("one", "sub/two", "three")
    ]
    for name in ("vars", "playbooks/extra/x", "collections/ns/c", "three", "hosts"):
        assert (local.tree / name).exists()
    assert local.environment["ANSIBLE_ROLES_PATH"].startswith(f"{local.staging}/roles:")
    assert (local.record / "folder").read_text() == f"{local.staging}\n"


def test_the_first_playbook_that_fails_ends_it(local: StandIn) -> None:
    local.write({"one": "1", "two": "2"})
    local.behave("ansible-playbook", "exit 4")
    with pytest.raises(ProvisionerError, match="exit code 4 of 'one'"):
        run(local, playbook_files=["one", "two"])
    assert len(local.calls) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "exactly one of 'playbook_file', 'playbook_files' is needed; here is none"),
        ({"playbook_file": "a", "inventory_file": "b", "inventory_groups": "c"}, "has no effect beside"),
        ({"playbook_file": "a", "extra_arguments": [SecretStr("x")]}, "only the value of --extra-vars may hold one"),
        ({"playbook_file": "a", "role_path": "b"}, "did you mean 'role_paths'"),
    ],
)
def test_mistakes_are_told_when_the_template_is_loaded(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_provisioner({"ansible-local": keys})
