"""Every command of the README is run, and every other claim that can be checked is."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_plugin.options import OPTIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BINARIES = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


def commands_of(program: str) -> list[str]:
    return [command for command in commands() if command.startswith(program)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's repository: the example, and the files that the README shows."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "specs", folder / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pytest.ini").write_text("[pytest]\n")
    for block in (*blocks("yaml"), *blocks("python")):
        first_line = block.splitlines()[0]
        if first_line.startswith("# specs/"):
            file = folder / first_line.removeprefix("# ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block)
    return folder


def run(command: str, project: Path) -> subprocess.CompletedProcess[str]:
    cloud = f"--vi-hypervisor=fake --vi-state={project / 'azure'} --vi-cache={project / 'cache'}"
    environment = {
        **os.environ,
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "PYTEST_ADDOPTS": f"{cloud} -p no:cacheprovider",
        "XDG_STATE_HOME": str(project / "state"),
    }
    return subprocess.run(  # noqa: S602 - the README's commands are for a shell
        command, shell=True, check=False, cwd=project, env=environment, capture_output=True, text=True, timeout=120
    )


@functools.cache
def run_once(command: str, project: Path) -> subprocess.CompletedProcess[str]:
    return run(command, project)


@pytest.mark.parametrize("command", commands_of("pytest"))
def test_pytest_commands_pass(command: str, project: Path) -> None:
    result = run_once(command, project)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_first_image_is_published(project: Path) -> None:
    result = run_once("pytest specs/hello", project)
    assert re.search(r"hello: published .*/images/hello/versions/1\.0\.\d+", result.stdout), result.stdout


@pytest.mark.parametrize("command", [c for c in commands_of("verified-images") if "serve" not in c])
def test_other_commands_succeed(command: str, project: Path) -> None:
    result = run(command, project)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("command", [c for c in commands_of("verified-images") if "serve" in c])
def test_the_local_azure_is_served_until_it_is_interrupted(command: str, tmp_path: Path) -> None:
    words = [*shlex.split(command), "--hypervisor=fake", f"--state={tmp_path}"]
    server = subprocess.Popen([BINARIES / words[0], *words[1:]], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    told = [server.stderr.readline() for _ in range(5)]
    environment = subprocess.run(
        [BINARIES / "verified-images", "local", "env", f"--state={tmp_path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    server.stderr.close()
    endpoint = told[0].split()[-1]
    assert endpoint.startswith("https://127.0.0.1:")
    assert f"export ARM_ENDPOINT={endpoint}" in environment.stdout
    assert f"export ARM_METADATA_HOSTNAME={endpoint.removeprefix('https://')}" in environment.stdout


def test_dev_commands_are_those_that_dev_knows() -> None:
    known = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    for command in commands_of("./dev"):
        assert re.search(rf"^ +{command.split()[1]} ", known, re.MULTILINE), command


def test_what_ci_runs_is_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "./dev check" in script
    assert "./dev test" in script


def test_no_command_is_left_out() -> None:
    assert {command.split()[0] for command in commands()} <= {"./dev", "pytest", "verified-images"}


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS])
def test_every_option_is_described(option: str) -> None:
    assert option in README
