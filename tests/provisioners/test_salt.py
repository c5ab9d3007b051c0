"""Salt as a stand-in that records how it is called, and the real one in an environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from tests.provisioners.machine import Bench
from tests.provisioners.stand_in import StandIn
from verified_images.errors import ProvisionerError
from verified_images.templates.provisioners import read_provisioner

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.ssh.session import Session

HIGHSTATE = "salt-call --local --retcode-passthrough --log-level info"
OWN = "--config-dir=STAGING/config --log-file=STAGING/log --cachedir=STAGING/cache"


@pytest.fixture
def salt(bench: Bench) -> StandIn:
    salt = StandIn(bench, "salt-masterless", "salt-call", "curl")
    salt.write(
        {"states/top.sls": "base: {'*': [web]}", "pillars/top.sls": "p", "grains": "roles: [web]", "minion": "m"}
    )
    salt.write({"bootstrap.sh": "echo bootstrap $1 $2"})
    return salt


def apply(salt: StandIn, **keys: object) -> None:
    keys = {"skip_bootstrap": True, "salt_bin_dir": str(salt.bin), **keys}
    salt.provision(**{"local_state_tree": "states", **keys})


def test_the_highstate_is_applied_with_pillars_and_grains(salt: StandIn) -> None:
    apply(salt, local_pillar_roots="pillars", grains_file="grains", env={"S": SecretStr("hunter2")})
    roots = "--file-root=STAGING/file-root --pillar-root=STAGING/pillar-root"
    assert salt.calls == [f"{HIGHSTATE} {roots} {OWN} state.highstate"]
    assert salt.read("file-root/top.sls") == "base: {'*': [web]}"
    assert salt.read("config/grains") == "roles: [web]"
    assert '"file_client": "local"' in salt.read("config/minion")
    assert salt.environment["S"] == "hunter2"
    assert salt.bench.output == "salt-call says hello\n"
    assert salt.left == []


def test_single_states_and_arguments_are_handed_over(salt: StandIn) -> None:
    apply(salt, custom_state="web,db", salt_call_args="pillar='{\"a\": 1}'", log_level="debug")
    assert salt.calls == [
        f'{HIGHSTATE} --file-root=STAGING/file-root {OWN} state.sls web,db pillar={{"a": 1}}'.replace("info", "debug")
    ]


def test_the_folders_that_the_template_names_are_removed_unless_they_were_there(salt: StandIn, tmp_path: Path) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.mkdir()
    salt.behave("salt-call", f"cat {new}/top.sls")
    keys = {"remote_state_tree": str(new), "local_pillar_roots": "pillars", "remote_pillar_roots": str(there)}
    apply(salt, **keys)
    assert f"--file-root={new} --pillar-root={there} " in salt.calls[0]
    assert "base" in salt.bench.output
    assert not new.exists()
    assert (there / "top.sls").exists()


def test_salt_is_installed_by_a_script_of_ones_own(salt: StandIn) -> None:
    apply(salt, skip_bootstrap=False, bootstrap_script="bootstrap.sh", bootstrap_args="-P 'a b'")
    assert salt.bench.output == "bootstrap -P a b\nsalt-call says hello\n"
    salt.write({"bootstrap.sh": "exit 9"})
    with pytest.raises(ProvisionerError, match=r"exit code 9 of 'bootstrap\.sh'"):
        apply(salt, skip_bootstrap=False, bootstrap_script="bootstrap.sh")


def test_salt_is_installed_by_the_script_of_its_project(salt: StandIn) -> None:
    salt.behave("curl", 'echo "echo installed \\$1" >"$3"')
    apply(salt, skip_bootstrap=False, bootstrap_args="stable")
    assert salt.calls[0] == (
        "curl -fsSL -o STAGING/bootstrap-salt.sh "
        "https://github.com/saltstack/salt-bootstrap/releases/latest/download/bootstrap-salt.sh"
    )
    assert "installed stable" in salt.bench.output
    salt.behave("curl", "exit 6")
    with pytest.raises(ProvisionerError, match=r"exit code 125 of 'bootstrap-salt\.sh'") as caught:
        apply(salt, skip_bootstrap=False)
    assert caught.value.tail.endswith("bootstrap-salt.sh cannot be downloaded")


def test_a_state_that_fails_ends_it_unless_told_otherwise(salt: StandIn) -> None:
    salt.behave("salt-call", "echo failed; exit 2")
    with pytest.raises(ProvisionerError) as caught:
        apply(salt)
    where = f"provisioner 1 (salt-masterless) at {salt.bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 2 of 'salt-call'", str(caught.value))
    assert salt.left == []
    apply(salt, no_exit_on_failure=True)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"formulas": ["git::https://example.com/x.git"]}, "formulas: they are not fetched here"),
        ({"minion_config": "m", "remote_state_tree": "/x"}, "have no effect beside 'minion_config'"),
        ({"skip_bootstrap": True, "bootstrap_script": "x"}, "exactly one of 'bootstrap_script', 'skip_bootstrap'"),
        ({"local_pillar_root": "x"}, "did you mean 'local_pillar_roots'"),
        ({"salt_call_args": SecretStr("x")}, "a secret would stand on a command line here"),
    ],
)
def test_mistakes_are_told_when_the_template_is_loaded(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        read_provisioner({"salt-masterless": {"local_state_tree": "x", **keys}})


@pytest.fixture(scope="module")
def real_salt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Salt in an environment of its own, since it pins what it needs."""
    folder = tmp_path_factory.mktemp("salt")
    # With a pip of its own, and all of Salt compiled, this would take four times as long.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", f"--python={folder}/bin/python", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-compile", "salt==3008.4"], check=True, stdout=subprocess.DEVNULL)
    return folder / "bin"


@pytest.mark.timeout(900)
def test_the_real_salt_applies_states(session: Session, tmp_path: Path, real_salt: Path) -> None:
    salt = StandIn(Bench(session, tmp_path / "spec"), "salt-masterless")
    done = tmp_path / "done"
    text = "{{ pillar['colour'] }} {{ grains['role'] }}"
    state = f'{done}:\n  file.managed:\n    - contents: "{text}"\n'
    salt.write({"states/top.sls": "base: {'*': [web]}\n", "states/web.sls": state, "grains": "role: front\n"})
    salt.write({"pillars/top.sls": "base: {'*': [colours]}\n", "pillars/colours.sls": "colour: blue\n"})
    keys = {"local_pillar_roots": "pillars", "grains_file": "grains", "salt_bin_dir": str(real_salt)}
    salt.provision(local_state_tree="states", skip_bootstrap=True, **keys)
    assert done.read_text() == "blue front\n"
    assert "Succeeded: 1" in salt.bench.output
    salt.write({"states/web.sls": "broken:\n  test.fail_without_changes: []\n"})
    with pytest.raises(ProvisionerError, match="exit code 2 of 'salt-call'") as caught:
        salt.provision(local_state_tree="states", skip_bootstrap=True, salt_bin_dir=str(real_salt))
    assert "Failure!" in caught.value.tail
    assert re.search(r"Failed: +1\b", salt.bench.output)
    assert salt.left == []
