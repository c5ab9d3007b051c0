"""Ansible runs for real, from here over OpenSSH's client on a machine that is whoever runs the tests."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from tests.provisioners.machine import Bench
from tests.ssh.openssh import OpenSSHServer, open_session
from verified_images.errors import ProvisionerError
from verified_images.ssh.keys import new_run_key
from verified_images.templates.provisioners import read_provisioner
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAY = """\
- hosts: all
  gather_facts: false
  vars: {{text: "{content}"}}
  tasks:
    - raw: printf %s {{{{ text | quote }}}} > {folder}/done
"""


@pytest.fixture
def play(bench: Bench) -> Play:
    return Play(bench)


class Play:
    """Runs a playbook and tells of what it did in the machine."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.done = bench.folder / "done"

    def run(self, content: str = "", book: str | None = None, **keys: object) -> str:
        """Run a playbook that writes ``content``, or ``book``; return what was written."""
        (self.bench.folder / "play.yml").write_text(book or PLAY.format(content=content, folder=self.bench.folder))
        variables = {"ANSIBLE_PYTHON_INTERPRETER": sys.executable}
        self.bench.provision({"ansible": {"playbook_file": "play.yml", "env": variables, **keys}})
        return self.done.read_text()


def test_a_playbook_works_on_the_machine_and_its_output_is_live(play: Play) -> None:
    facts = "{{ inventory_hostname }} {{ group_names }} {{ packer_build_name }} {{ ansible_user }}"
    assert play.run(facts, host_alias="web", groups=["a", "b"], empty_groups=["c"], user="ops") == (
        "web ['a', 'b'] debian-nginx ops"
    )
    assert len(play.bench.shown) > 1
    assert "TASK [raw]" in play.bench.output
    assert re.search(r"web +: ok=1 +changed=1", play.bench.output)
    book = f"- hosts: all\n  tasks:\n    - copy: {{content: '{{{{ ansible_system }}}}', dest: {play.done}}}\n"
    assert play.run(book=book, become=os.geteuid() == 0 and shutil.which("sudo") is not None) == "Linux"


def test_it_takes_the_pinned_host_keys_alone(
    play: Play, server: OpenSSHServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = "{{ ansible_ssh_args }} {{ lookup('file', ansible_ssh_args | regex_search('/[^ ]*known_hosts')) }}"
    seen = play.run(known)
    assert "StrictHostKeyChecking=yes" in seen
    assert seen.endswith(" machine " + " ".join(server.host_key().split()[:2]))
    play.done.unlink()
    monkeypatch.setattr(play.bench.session, "address", server.address(new_run_key().public))
    with pytest.raises(ProvisionerError, match="exit code 4 of 'ansible-playbook'") as caught:
        play.run("never")
    assert "Host key verification failed" in caught.value.tail
    assert not play.done.exists()


def test_a_failure_names_its_place_and_shows_the_last_lines_of_the_play(play: Play) -> None:
    book = "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: sh -c 'echo hunter2 >&2; exit 7'\n"
    with pytest.raises(ProvisionerError) as caught:
        play.run(book=book)
    where = f"provisioner 1 (ansible) at {play.bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 2 of 'ansible-playbook'", str(caught.value))
    assert "PLAY RECAP" in caught.value.tail
    assert "hunter2" not in play.bench.output + str(caught.value)
    assert "non-zero return code" in caught.value.tail
    play.done.touch()
    assert play.run(book=book, valid_exit_codes=[0, 2]) == ""


def test_secrets_are_handed_over_in_files_that_nobody_else_can_read(play: Play) -> None:
    content = "{{ token }} {{ lookup('pipe', 'xargs -0 echo < /proc/' + pid + '/cmdline') }}"
    parent = "{{ lookup('pipe', 'echo $PPID') }}"
    book = PLAY.format(content=content, folder=play.bench.folder)
    book = book.replace("vars: {", f'vars: {{pid: "{parent}", ')
    secret = SecretStr("token=hunter2 other='a b'")
    seen = play.run(book=book, extra_arguments=["-v", "--extra-vars", secret])
    assert seen.startswith("hunter2 ")
    assert seen.count("hunter2") == 1
    assert "@/" in seen
    assert "hunter2" not in play.bench.output
    with_sign = SecretStr("--extra-vars=token=hunter2")
    assert play.run("{{ token }}", extra_arguments=[with_sign]) == "hunter2"
    assert play.run("{{ token }}", extra_arguments=["-e", SecretStr('{"token": "hunter2"}')]) == "hunter2"


def test_a_secret_anywhere_else_on_the_command_line_is_refused() -> None:
    with pytest.raises(ValidationError, match="only the value of --extra-vars may hold one"):
        read_provisioner({"ansible": {"playbook_file": "x", "extra_arguments": ["--limit", SecretStr("x")]}})
    with pytest.raises(ValidationError, match="ansible_env_vars: NAME=VALUE is needed"):
        read_provisioner({"ansible": {"playbook_file": "x", "ansible_env_vars": ["X"]}})
    with pytest.raises(ValidationError, match="unknown key 'playbok_file'; did you mean 'playbook_file'"):
        read_provisioner({"ansible": {"playbok_file": "x"}})


def test_variables_and_the_vault_arrive(play: Play) -> None:
    (play.bench.folder / "password").write_text("vault-word\n")
    content = "{{ lookup('env', 'A') }} {{ lookup('env', 'B') }} {{ lookup('env', 'C') }}"
    given = ["A=1=2", SecretStr("B=hunter2")]
    variables = {"C": "3", "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    assert play.run(content, ansible_env_vars=given, env=variables) == "1=2 hunter2 3"
    encrypted = play.bench.session.run(
        f"cd {play.bench.folder} && {ansible_vault()} encrypt_string --vault-password-file password locked 2>/dev/null"
    ).stdout.decode()
    (play.bench.folder / "vars.yml").write_text("word: " + encrypted)
    more = ["-e", "@vars.yml"]
    assert play.run("{{ word }}", extra_arguments=more, vault_password_file="password") == "locked"
    assert play.run("{{ word }}", extra_arguments=more, vault_password=SecretStr("vault-word")) == "locked"


def ansible_vault() -> str:
    return str(Path(sys.executable).parent / "ansible-vault")


def test_inventories_of_ones_own_are_read_too(play: Play) -> None:
    inventory = play.bench.folder / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts").write_text("[web]\ndefault colour=blue\n")
    (inventory / "group_vars" / "web.yml").write_text("size: large\n")
    content = "{{ colour }} {{ group_names }}"
    assert play.run(content, inventory_file="inventory/hosts", groups="db") == "blue ['db', 'web']"
    assert play.run("{{ size }}", inventory_directory="inventory") == "large"


def test_roles_are_installed_from_a_requirements_file(play: Play) -> None:
    role = play.bench.folder / "source" / "tasks"
    role.mkdir(parents=True)
    (role / "main.yml").write_text(f"- copy: {{content: role, dest: {play.done}}}\n")
    (role.parent / "meta").mkdir()
    (role.parent / "meta" / "main.yml").write_text("galaxy_info: {author: a, description: d, license: x}\n")
    subprocess.run(["tar", "-czf", play.bench.folder / "role.tar.gz", "-C", role.parent, "."], check=True)
    requirements = f"roles:\n  - {{src: 'file://{play.bench.folder}/role.tar.gz', name: own}}\n"
    (play.bench.folder / "requirements.yml").write_text(requirements)
    book = "- hosts: all\n  gather_facts: false\n  roles: [own]\n"
    assert play.run(book=book, galaxy_file="requirements.yml", roles_path="roles", galaxy_force_install=True) == "role"
    (play.bench.folder / "requirements.yml").write_text("roles: [")
    with pytest.raises(ProvisionerError, match="is not a requirements file"):
        play.run(book=book, galaxy_file="requirements.yml")


@pytest.fixture
def memory() -> Iterator[Path]:
    # Not in pytest's own folder: paths of sockets may not be long.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_no_trace_stays_here_or_on_the_machine(play: Play, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verified_images.provisioners.ansible._MEMORY", memory)
    content = "{{ lookup('pipe', 'stat -c %a,%U ' + ansible_ssh_args | regex_search('/[^ ]*/key')) }}"
    seen = play.run(content)
    assert seen.partition(",")[0] == "600"
    with pytest.raises(ProvisionerError):
        play.run(book="- hosts: all\n  tasks: [fail: {}]\n")
    assert list(memory.iterdir()) == []
    assert list(Path("/tmp").glob(f"vi-{play.bench.run.id}*")) == []  # noqa: S108


def test_its_time_can_be_up(play: Play) -> None:
    here = "{{ lookup('pipe', 'echo $PPID') }}"
    book = f"- hosts: all\n  gather_facts: false\n  tasks: [shell: \"echo '{here}' > {play.done}; sleep 20\"]\n"
    with pytest.raises(ProvisionerError, match="its time of 5 s was up"):
        play.run(book=book, timeout="5s")
    status = Path("/proc", play.done.read_text().strip(), "status")
    wait_for(lambda _: not is_running(status) or None, Deadline("the end of Ansible", 5), every=0.05)


def is_running(status: Path) -> bool:
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


def test_what_is_not_installed_is_named(play: Play) -> None:
    with pytest.raises(ProvisionerError, match=r"'no-such' is not installed here; pip install 'verified-images\[ansib"):
        play.run("x", command="no-such")


def test_a_machine_behind_a_gateway_is_reached_as_the_session_reaches_it(server: OpenSSHServer, tmp_path: Path) -> None:
    reached: list[tuple[str, int]] = []

    def reach(address: str, port: int, timeout: float) -> socket.socket:
        reached.append((address, port))
        return socket.create_connection(("127.0.0.1", server.port), timeout)

    with open_session(server, reach, port=1) as session:
        play = Play(Bench(session, tmp_path / "spec"))
        sessions = len(reached)
        assert play.run("through the gateway") == "through the gateway"
    assert reached[sessions:]
    assert set(reached) == {("127.0.0.1", 1)}
