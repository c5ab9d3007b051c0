"""``./dev verify`` as a new user runs it: the example is built and verified on real guests."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local_azure import everything
from verified_images.cloud.connection import connect_local
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
TARGET = ["Microsoft.Compute/galleries", "Microsoft.Compute/galleries/images", "group"]
VERSION = "Microsoft.Compute/galleries/images/versions"


def start(state: Path, report: Path) -> subprocess.Popen[str]:
    """Run ``./dev verify`` on a local cloud of its own; base images are those of the user."""
    arguments = (f"--vi-state={state}", f"--junit-xml={report}", "-v", "-p", "no:cacheprovider")
    environment = {**os.environ, "XDG_STATE_HOME": str(state.parent / "journals")}
    return subprocess.Popen(
        ["./dev", "verify", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def guests_of(state: Path) -> list[str]:
    """Give the command lines of processes that work in the folder."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text("utf-8", "replace").replace("\0", " "))
        except OSError:
            continue
    return [line for line in lines if "qemu" in line and str(state) in line]


def what_there_is(state: Path) -> Mapping[str, str]:
    """Ask the local cloud itself for every resource that it has."""
    with LocalCloud(state, Options(hypervisor="fake")) as cloud:
        connection = connect_local(**cloud.access)
        try:
            return everything(connection)
        finally:
            connection.close()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_dev_verify_builds_verifies_and_publishes_the_example(tmp_path: Path) -> None:
    state, report = tmp_path / "azure", tmp_path / "report.xml"
    run = start(state, report)
    output, _ = run.communicate(timeout=1500)
    assert run.returncode == 0, output
    cases = {case.get("name"): case for case in ET.parse(report).getroot().iter("testcase")}  # noqa: S314 - our own report
    assert {"preflight", "provision", "capture", "deploy", "publish", "cleanup"} <= set(cases)
    assert "version 1.0.0 in westeurope" in output
    assert sorted(what_there_is(state).values()) == sorted([*TARGET, VERSION])
    assert len(files_in(state / "images")) == 1
    assert not files_in(state / "disks")
    assert not files_in(tmp_path / "journals")
    assert not guests_of(state)


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    state, report = tmp_path / "azure", tmp_path / "report.xml"
    run = start(state, report)
    try:
        deadline = time.monotonic() + 600
        while not guests_of(state):
            assert time.monotonic() < deadline, "no guest was started"
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.5)
        os.killpg(run.pid, signal.SIGINT)
        output, _ = run.communicate(timeout=900)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == 2, output
    assert sorted(what_there_is(state).values()) == sorted(TARGET)
    assert not files_in(state / "disks")
    assert not files_in(state / "images")
    assert not files_in(tmp_path / "journals")
    assert not guests_of(state)
