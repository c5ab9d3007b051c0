"""./dev and .ci/run on a pretended machine: the shell and the locks are real, commands note how they were called."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.pretended_machine import ALL_TESTS, AZURE_CLI, CLIENTS, SUDO, Machine, make_machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)


class TestSetUp:
    def test_makes_an_environment_from_the_constraints(self, machine: Machine) -> None:
        result = machine.run("test")

        assert machine.take_calls() == [
            "python3 -m venv .venv",
            *(
                f"python -m pip install --disable-pip-version-check --no-input --quiet -c .ci/constraints.txt {what}"
                for what in ("pip hatchling editables", "--no-build-isolation -e . --group dev")
            ),
            *CLIENTS,
            f"python -m {ALL_TESTS}",
        ]
        assert re.search(r"^dev: install Python packages into \.venv: \d+ s$", result.stderr, re.MULTILINE)

    def test_happens_once(self, machine: Machine) -> None:
        machine.run("test")
        machine.take_calls()

        result = machine.run("test")

        assert machine.take_calls() == [f"python -m {ALL_TESTS}"]
        assert result.stderr == f"dev: {ALL_TESTS}\n"

    def test_follows_a_change_of_the_requirements(self, machine: Machine) -> None:
        machine.run("test")
        machine.take_calls()
        with (machine.project / "pyproject.toml").open("a") as pyproject:
            pyproject.write("# changed\n")

        machine.run("test")

        assert [call.split()[2] for call in machine.take_calls()] == ["pip", "pip", "pytest"]

    def test_follows_the_folder_when_it_moves(self, machine: Machine) -> None:
        machine.run("test")
        machine.take_calls()
        shutil.copytree(machine.project, machine.folder / "elsewhere")
        shutil.rmtree(machine.project)
        (machine.folder / "elsewhere").rename(machine.project)
        assert machine.run("test").stderr == f"dev: {ALL_TESTS}\n"
        machine.take_calls()
        moved = machine.project.rename(machine.folder / "moved")
        machine.project.symlink_to(moved)

        machine.run("test")

        assert [call.split()[2] for call in machine.take_calls()] == ["pip", "pip", "pytest"]

    @pytest.mark.parametrize("damage", ["incomplete", "bin/python"])
    def test_makes_a_damaged_environment_anew(self, machine: Machine, damage: str) -> None:
        machine.run("test")
        machine.take_calls()
        (machine.project / ".venv/ready").unlink()
        (machine.project / ".venv" / damage).unlink(missing_ok=True)
        if damage == "incomplete":
            (machine.project / ".venv/incomplete").touch()

        machine.run("test")

        assert machine.take_calls()[0] == "python3 -m venv .venv"
        assert not (machine.project / ".venv/incomplete").exists()

    def test_goes_on_without_the_clients_of_others_that_cannot_be_installed(self, machine: Machine) -> None:
        machine.run("check")
        machine.set("index-is-down")
        machine.take_calls()

        result = machine.run("test")

        assert machine.take_calls() == [*AZURE_CLI, f"python -m {ALL_TESTS}"]
        assert "no route to the index" in result.stderr
        assert "dev: the tests of the azure CLI and of Ansible's azure collection are skipped" in result.stderr

    def test_installs_packer_where_there_is_one(self, machine: Machine) -> None:
        machine.run("check")
        machine.run("test", "tests/clients")
        machine.remove_command("packer")
        machine.take_calls()

        machine.run("test", "tests/clients")
        machine.set("packages-are-unknown")
        refused = machine.run("test", "tests/clients")
        refused_before = machine.run("test", "tests/clients")

        calls = machine.take_calls()
        assert [call for call in calls if call.endswith(" packer")] == [calls[0]] * 3
        assert "dev: the tests of Packer are skipped" in refused.stderr
        assert "apt" not in refused_before.stderr

    def test_leaves_the_clients_of_others_out_where_no_test_of_theirs_is_asked_for(self, machine: Machine) -> None:
        machine.run("check")
        machine.take_calls()

        machine.run("test", "tests/test_it.py")
        machine.run("test", "tests/clients")

        assert machine.take_calls() == [
            "python -m pytest tests/test_it.py",
            *CLIENTS,
            "python -m pytest tests/clients",
        ]

    def test_shows_why_a_step_failed_and_recovers(self, machine: Machine) -> None:
        machine.set("index-is-down")
        failed = machine.run("test")
        (machine.folder / "index-is-down").unlink()
        recovered = machine.run("test")

        assert failed.returncode == 2
        assert "install Python packages into .venv: failed after" in failed.stderr
        assert "no route to the index" in failed.stderr
        assert recovered.stderr.endswith(f"dev: {ALL_TESTS}\n")

    def test_happens_once_for_two_at_the_same_time(self, machine: Machine) -> None:
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(machine.run, ["test", "test"]))

        calls = machine.take_calls()
        assert calls.count("python3 -m venv .venv") == 1
        assert sum(" pip install " in call for call in calls) == 4
        assert calls.count(f"python -m {ALL_TESTS}") == 2
        assert [result.returncode for result in results] == [5, 5]


class TestDebianPackages:
    def test_are_installed_in_one_go_when_missing(self, machine: Machine) -> None:
        machine.remove_command("qemu-img")
        (machine.folder / "usr/share/OVMF/OVMF_CODE_4M.fd").unlink()

        result = machine.run("test")

        install = machine.take_calls()[0]
        assert install.startswith("apt-get -q -y ")
        assert install.endswith(" install --no-install-recommends qemu-utils ovmf")
        assert re.search(r"dev: install Debian packages: qemu-utils ovmf: \d+ s", result.stderr)

    def test_bring_python_to_a_bare_machine(self, machine: Machine) -> None:
        machine.remove_command("python3")

        machine.run("check")

        assert machine.take_calls()[0].endswith("--no-install-recommends python3 python3-venv")

    def test_bring_a_newer_python_beside_an_old_one(self, machine: Machine) -> None:
        machine.set("python-is-old")
        shutil.copy(machine.folder / "python3", machine.folder / "usr/bin/python3")

        result = machine.run("check")

        assert machine.take_calls()[0].endswith("--no-install-recommends python3.11 python3.11-venv")
        assert result.returncode == 2
        assert "Python 3.11 or newer" in result.stderr

    def test_that_bring_no_python_new_enough_are_not_the_whole_message(self, machine: Machine) -> None:
        machine.set("python-is-old")
        machine.set("packages-are-unknown")
        shutil.copy(machine.folder / "python3", machine.folder / "usr/bin/python3")

        result = machine.run("check")

        assert result.returncode == 2
        assert result.stderr.endswith("is needed, this machine has Python 3.9.2, and apt-get brings no other\n")

    def test_lists_are_refreshed_when_they_are_too_old(self, machine: Machine) -> None:
        machine.remove_command("qemu-img")
        machine.set("lists-are-old")

        machine.run("test")

        commands = [call.split()[-3:] for call in machine.take_calls()[:3]]
        assert commands == [
            ["install", "--no-install-recommends", "qemu-utils"],
            ["apt-get", "-q", "update"],
            ["install", "--no-install-recommends", "qemu-utils"],
        ]

    def test_are_installed_with_sudo_by_an_ordinary_user(self, machine: Machine) -> None:
        machine.add_command("sudo", SUDO)
        machine.remove_command("qemu-img")

        machine.run("test", user=1000)

        assert machine.take_calls()[0].startswith("sudo env DEBIAN_FRONTEND=noninteractive ")

    def test_are_named_to_a_user_who_may_not_install_them(self, machine: Machine) -> None:
        machine.remove_command("qemu-img")

        result = machine.run("test", user=1000)

        assert result.returncode == 2
        assert "ask an administrator" in result.stderr
        assert result.stderr.endswith("apt-get install --no-install-recommends qemu-utils\n")
        assert machine.take_calls() == []

    def test_are_named_where_there_is_no_apt(self, machine: Machine) -> None:
        machine.remove_command("qemu-img")
        machine.remove_command("apt-get")

        result = machine.run("test")

        assert result.returncode == 2
        assert "neither Debian nor Ubuntu" in result.stderr
        assert result.stderr.endswith(": qemu-utils\n")

    def test_bring_an_ssh_server_without_its_service(self, machine: Machine) -> None:
        (machine.folder / "run/systemd/system").mkdir()
        machine.remove_command("sshd")

        machine.run("test")

        mask, install, disable, unmask = machine.take_calls()[:4]
        assert mask == "systemctl mask --runtime ssh.service ssh.socket"
        assert install.endswith(" install --no-install-recommends openssh-server")
        assert disable == "systemctl disable ssh.service ssh.socket"
        assert unmask == "systemctl unmask --runtime ssh.service ssh.socket"

    def test_of_the_local_cloud_are_not_needed_for_the_checks(self, machine: Machine) -> None:
        machine.remove_command("qemu-img")

        machine.run("check")

        assert not any(call.startswith("apt-get") for call in machine.take_calls())


class TestCommands:
    @pytest.mark.parametrize("arguments", [(), ("tests",)])
    def test_none_or_an_unknown_one_gets_the_usage(self, machine: Machine, arguments: tuple[str, ...]) -> None:
        result = machine.run(*arguments)

        assert result.returncode == 2
        assert "usage: ./dev COMMAND" in result.stderr
        assert machine.take_calls() == []

    def test_help_lists_the_commands(self, machine: Machine) -> None:
        result = machine.run("help")

        assert result.returncode == 0
        assert re.findall(r"(?m)^  (\w+)", result.stdout) == ["verify", "test", "check", "bench"]

    def test_verify_takes_specs_unless_told_otherwise_and_writes_a_report(self, machine: Machine) -> None:
        machine.run("verify", "-k", "nginx and not slow")

        assert machine.take_calls()[-1] == (
            "python -m pytest -o testpaths=specs -o junit_logging=all --junit-xml=report.xml -k nginx and not slow"
        )

    def test_test_ends_as_pytest_ends(self, machine: Machine) -> None:
        assert machine.run("test").returncode == 5

    def test_paths_are_those_that_the_caller_sees(self, machine: Machine) -> None:
        elsewhere = machine.folder / "else where"
        elsewhere.mkdir()
        (elsewhere / "test_it.py").touch()
        (elsewhere / "it").touch()

        machine.run("test", "-k", "it", "test_it.py::test_one", "tests/test_other.py", cwd=elsewhere)

        assert machine.take_calls()[-1] == (
            f"python -m pytest -k it {elsewhere}/test_it.py::test_one tests/test_other.py"
        )

    def test_check_runs_every_check_and_names_those_that_failed(self, machine: Machine) -> None:
        result = machine.run("check")

        outcomes = dict(re.findall(r"(?m)^([\w-]+) +(passed|FAILED)  \d+\.\d s$", result.stdout))
        assert outcomes == {
            "ruff-check": "FAILED",
            "ruff-format": "passed",
            "mypy": "passed",
            "lint-imports": "passed",
            "sizes": "passed",
        }
        assert "a line is too long" in result.stdout
        assert result.stdout.endswith("failed: ruff-check\n")
        assert result.returncode == 1

    def test_bench_passes_the_names_on(self, machine: Machine) -> None:
        machine.run("bench", "unrelated_run")

        assert machine.take_calls()[-1] == "python -m tests.bench unrelated_run"


@pytest.mark.parametrize(("check", "test", "expected"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_ci_runs_checks_and_tests_and_fails_if_either_does(
    machine: Machine, check: int, test: int, expected: int
) -> None:
    (machine.project / "dev").write_text(f'#!/bin/sh\necho "ran $1"\n[ $1 = check ] && exit {check}\nexit {test}\n')
    (machine.folder / "bin/bash").symlink_to("/bin/bash")

    result = machine.run(program=".ci/run")

    assert result.stdout == "ran check\nran test\n"
    assert result.returncode == expected
