from __future__ import annotations

from typing import TYPE_CHECKING

# What a run imports has to be there before: pytester forgets it after the run, but not the SDK's caches.
import azure.identity
import azure.mgmt.compute
import azure.mgmt.network
import azure.mgmt.resource.resources

import pytest_plugin.local_targets
import verified_images.emulator.fake.hypervisor
from tests.plugin.conftest import OTHERS, PLUGIN
from tests.templates.packer.conftest import template

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.commands.conftest import Run

__all__ = ["azure", "pytest_plugin", "verified_images"]


def verify(pytester: pytest.Pytester, folder: Path) -> pytest.RunResult:
    """Build and verify on the local cloud with machines that answer in milliseconds."""
    cloud = ("--vi-hypervisor=fake", f"--vi-state={pytester.path / 'state'}", f"--vi-cache={pytester.path / 'cache'}")
    return pytester.runpytest_inprocess(*PLUGIN, *OTHERS, "-W", "error", *cloud, str(folder))


def test_a_new_spec_passes_on_the_local_cloud(run: Run, pytester: pytest.Pytester) -> None:
    folder = pytester.path / "specs" / "My_Image"
    assert run("init", folder)[0] == 0
    result = verify(pytester, folder)
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["My_Image: published */images/my-image/versions/1.0.0*"])


def test_a_spec_from_a_packer_template_passes_on_the_local_cloud(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "old").mkdir()
    (pytester.path / "old" / "page.html").write_text("x")
    upload = {"type": "file", "source": "page.html", "destination": "page.html"}
    (pytester.path / "old" / "packer.json").write_text(template(upload, vm_size="Standard_B2s"))
    folder = pytester.path / "specs" / "web"
    code, _, told = run("init", folder, "--from", pytester.path / "old")
    assert code == 0
    assert told.splitlines()[-1] == f"try it in seconds: pytest {folder} --vi-hypervisor=fake"
    verify(pytester, folder).assert_outcomes(passed=10)


def test_nothing_is_overwritten_or_half_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_scale_set.py").write_text("mine")
    code, _, told = run("init", tmp_path)
    assert code == 1
    assert "test_scale_set.py is there already" in told
    assert [file.name for file in tmp_path.iterdir()] == ["test_scale_set.py"]
    code, _, told = run("init", tmp_path / "test_scale_set.py" / "x")
    assert code == 1
    assert "cannot be made" in told
    code, _, told = run("init", tmp_path / "new", "--from", tmp_path / "nothing.json")
    assert code == 1
    assert not (tmp_path / "new").exists()
