"""``verified-images reap``, after runs that were killed for real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.local_azure import BUILDER
from verified_images.cli import main

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = f"""
builder:
  source: {{publisher: Debian, offer: debian-12, sku: 12-gen2}}
  vm_size: {BUILDER["vm_size"]}
  location: westeurope
image:
  gallery: {{resource_group: images, gallery: golden, definition: web}}
smoke: {{instances: 1}}
"""
DIE = "import os\n\n\ndef pytest_verified_images_{hook}() -> None:\n    os.kill(os.getpid(), 9)\n"


def run_until_killed(folder: Path, hook: str) -> str:
    """Run a spec in a process that is killed at a hook; return the run's id."""
    spec = folder / "specs" / "web"
    spec.mkdir(parents=True, exist_ok=True)
    (spec / "template.yaml").write_text(TEMPLATE)
    (spec / "conftest.py").write_text(DIE.format(hook=hook))
    (folder / "pytest.ini").write_text("[pytest]\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "specs", *cloud_options(folder)],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "journals")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == -signal.SIGKILL, result.stdout
    [journal] = (folder / "journals" / "verified-images" / "runs").glob("*.jsonl")
    return journal.stem


def cloud_options(folder: Path) -> list[str]:
    return ["--vi-hypervisor=fake", f"--vi-state={folder / 'azure'}", f"--vi-cache={folder / 'cache'}"]


def reap(folder: Path, *options: str) -> int:
    return main(["reap", "--hypervisor=fake", f"--state={folder / 'azure'}", *options])


@pytest.fixture(autouse=True)
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "journals"))
    return tmp_path / "journals"


@pytest.mark.parametrize("hook", ["machine_ready", "image_captured", "scale_set_ready"])
def test_what_a_killed_run_has_left_is_removed(hook: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_until_killed(tmp_path, hook)

    assert reap(tmp_path) == 0
    assert re.search(rf"run {run} of spec 'web', .* is left alone: it expires at ", capfd.readouterr().err)

    assert reap(tmp_path, f"--run={run}", "--dry-run") == 0
    listed = capfd.readouterr().out.split()
    assert listed[-1].endswith(f"/resourceGroups/vi-web-{run}")

    assert reap(tmp_path, f"--run={run}") == 0
    told = capfd.readouterr().out
    assert f"removed {listed[-1]}\n" in told
    assert "left " not in told

    assert reap(tmp_path, f"--run={run}") == 0
    assert f"run {run} has left nothing here" in capfd.readouterr().err
    assert list((tmp_path / "journals" / "verified-images" / "runs").iterdir()) == []


def test_the_next_run_offers_to_remove_it(tmp_path: Path) -> None:
    run = run_until_killed(tmp_path, "machine_ready")

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "specs", "-k", "preflight", *cloud_options(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    offer = re.search(
        rf"^run {run} of web was killed and may have left \d+ resources: (.*)$", result.stdout, re.MULTILINE
    )
    assert offer is not None, result.stdout
    assert offer[1] == f"verified-images reap --run {run} --state {tmp_path / 'azure'}"


def test_a_damaged_journal_is_told_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "journals" / "verified-images" / "runs"
    folder.mkdir(parents=True)
    (folder / "abcdefgh.jsonl").write_text("not a journal\n")

    assert reap(tmp_path) == 1
    assert "abcdefgh.jsonl' is not a journal of verified-images" in capfd.readouterr().err


def test_azure_needs_a_subscription(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)

    assert main(["reap", "--cloud=azure"]) == 1
    assert "--cloud azure needs a subscription" in capfd.readouterr().err


def test_a_time_that_is_none_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["reap", "--older-than=soon"])
    assert "a duration is needed, such as 90s" in capfd.readouterr().err
