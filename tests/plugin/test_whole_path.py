"""pytest runs on the local cloud with machines that answer in milliseconds: nothing of the plugin is replaced."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

# What a run imports when it needs it has to be there before: pytester forgets it after the run, but what was made
# of it, such as the SDK's caches, stays.
import azure.identity
import azure.mgmt.compute
import azure.mgmt.network
import azure.mgmt.resource.resources
import pytest

import pytest_plugin.local_targets
import verified_images.emulator.fake.hypervisor
from tests.local_azure import everything
from tests.plugin.conftest import OTHERS, PLUGIN
from tests.plugin.test_reports import properties, read_cases
from verified_images.cloud.connection import connect_local
from verified_images.emulator.local_cloud import LocalCloud, Options
from verified_images.stages.layers import GROUP as LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["azure", "pytest_plugin", "verified_images"]

EXAMPLE = Path(__file__).parents[2] / "specs" / "debian-nginx"
KEPT = ["Microsoft.Compute/galleries", "Microsoft.Compute/galleries/images", "group"]
VERSION = "Microsoft.Compute/galleries/images/versions"


class Example:
    """A copy of the example spec, and pytest runs on it."""

    def __init__(self, pytester: pytest.Pytester, cache: Path) -> None:
        self.pytester = pytester
        self.folder = pytester.path / "specs" / "debian-nginx"
        self.state = pytester.path / "state"
        self.cache = cache
        shutil.copytree(EXAMPLE, self.folder)

    def arguments(self, *more: str) -> tuple[str, ...]:
        cloud = ("--vi-hypervisor=fake", f"--vi-state={self.state}", f"--vi-cache={self.cache}")
        return (*PLUGIN, *OTHERS, "-W", "error", "--junit-xml=report.xml", *cloud, *more)

    def run(self, *more: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*self.arguments(*more), no_reraise_ctrlc=True)

    def there_is(self) -> Mapping[str, str]:
        """Ask the local cloud itself what there is but layers, and look whether a run left something on the disk."""
        assert not list(self.pytester.path.glob(".local/state/verified-images/runs/*"))
        found = self.ask()
        assert not [guest for guest in (self.state / "guests").iterdir() if guest.is_dir()]
        return {name: kind for name, kind in found.items() if f"/{LAYERS}/" not in f"{name}/"}

    def layers(self) -> list[str]:
        """Give the ids of the layers that there are."""
        return [name for name in self.ask() if f"/{LAYERS}/" in name]

    def ask(self) -> Mapping[str, str]:
        with LocalCloud(self.state, Options(hypervisor="fake", cache=self.cache)) as cloud:
            connection = connect_local(**cloud.access)
            found = everything(connection)
            connection.close()
        return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def example(pytester: pytest.Pytester, cache: Path) -> Example:
    return Example(pytester, cache)


def test_a_passing_run_leaves_the_image_and_nothing_else(example: Example) -> None:
    result = example.run("specs")
    result.assert_outcomes(passed=21)
    result.stdout.fnmatch_lines(
        ["debian-nginx: published /subscriptions/*/versions/1.0.0, version 1.0.0 in westeurope*"]
    )
    found = example.there_is()
    assert sorted(found.values()) == sorted([*KEPT, VERSION])
    facts = properties(read_cases(example.pytester.path / "report.xml")["publish"])
    assert facts["image_id"] in found
    assert facts["source_image_version"] == "0.20250814.2204"


def test_a_second_run_publishes_the_next_version(example: Example) -> None:
    example.run("specs")
    example.run("specs").stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.1 in westeurope*"])


def test_a_failing_machine_test_leaves_nothing(example: Example) -> None:
    (example.folder / "test_more.py").write_text(
        "def test_apache(host):\n    assert host.package('apache2').is_installed\n"
    )
    result = example.run("specs")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=8, failed=1, skipped=13)
    result.stdout.fnmatch_lines(
        ["*Captured stdout of the serial console of *", "debian-nginx: not published: *test_apache*"]
    )
    failure = read_cases(example.pytester.path / "report.xml")["test_apache[debian-nginx]"].find("failure")
    assert failure is not None
    assert "is_installed" in str(failure.get("message"))
    assert sorted(example.there_is().values()) == KEPT


def test_a_failing_smoke_test_leaves_nothing(example: Example) -> None:
    (example.folder / "test_more.py").write_text(
        "def test_missing(instance):\n    assert instance.get('/x').status == 200\n"
    )
    result = example.run("specs")
    result.assert_outcomes(passed=20, failed=2, skipped=1)
    assert sorted(example.there_is().values()) == KEPT


def test_ctrl_c_leaves_nothing(example: Example) -> None:
    (example.folder / "test_more.py").write_text("def test_x(scale_set):\n    raise KeyboardInterrupt\n")
    result = example.run("specs")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*cleaning up run *"])
    assert sorted(example.there_is().values()) == KEPT


def test_one_node_id_leaves_nothing_but_layers(example: Example) -> None:
    result = example.run("specs/debian-nginx/test_scale_set.py::test_serves_the_page")
    result.assert_outcomes(passed=2)
    assert sorted(example.there_is().values()) == KEPT
    assert len(example.layers()) == 2


def test_a_test_that_is_run_again_begins_with_what_was_provisioned(example: Example) -> None:
    once = "specs/debian-nginx/test_machine.py::test_nginx_is_enabled"
    example.run(once, "-v").stdout.fnmatch_lines(["*| Setting up nginx *"])
    again = example.run(once, "-v")
    again.assert_outcomes(passed=1)
    again.stdout.no_fnmatch_line("*| Setting up nginx *")
    example.run("specs", "-v").stdout.fnmatch_lines(["*| Setting up nginx *"])


def test_a_template_with_a_typo_starts_nothing(example: Example) -> None:
    file = example.folder / "template.yaml"
    file.write_text(file.read_text().replace("vm_size", "vm_sise"))
    result = example.run("specs")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*specs/debian-nginx/template.yaml:5: builder.vm_sise: *"])
    assert not example.state.exists()


def test_collecting_starts_nothing(example: Example) -> None:
    example.run("specs", "--collect-only").assert_outcomes()
    assert not example.state.exists()


def test_a_failing_provisioner_is_told_with_its_output(example: Example) -> None:
    script = example.folder / "scripts" / "install-nginx.sh"
    script.write_text("echo about to fail\nexit 7\n")
    result = example.run("specs")
    result.assert_outcomes(passed=2, failed=1, skipped=18)
    result.stdout.fnmatch_lines(
        ["provision of debian-nginx failed after * s: provisioner 1 (shell) at *template.yaml:9*7*", "about to fail"]
    )
    result.stdout.fnmatch_lines(["debian-nginx: not published: provision failed: *exit code 7 of '*install-nginx.sh'"])
    assert sorted(example.there_is().values()) == KEPT


def test_workers_share_the_local_cloud(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    other = example.folder.with_name("debian-plain")
    shutil.copytree(example.folder, other)
    (other / "template.yaml").write_text(
        (other / "template.yaml").read_text().replace("definition: debian-nginx", "definition: debian-plain")
    )
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE.parents[1]))
    result = example.pytester.runpytest_subprocess(*example.arguments("-n2", "specs"))
    result.assert_outcomes(passed=42)
    result.stdout.fnmatch_lines_random(["debian-nginx: published *", "debian-plain: published *"])
    assert sorted(example.there_is().values()).count(VERSION) == 2


def test_a_local_cloud_that_is_served_already_is_used(example: Example) -> None:
    options = Options(hypervisor="fake", cache=example.cache, announced=True)
    with LocalCloud(example.state, options):
        example.run("specs/debian-nginx/test_machine.py").assert_outcomes(passed=5)


def test_a_local_cloud_of_another_run_is_a_failure_that_says_so(example: Example) -> None:
    with LocalCloud(example.state, Options(hypervisor="fake", cache=example.cache)):
        result = example.run("specs")
    result.assert_outcomes(passed=1, failed=1, skipped=19)
    result.stdout.fnmatch_lines(["preflight of debian-nginx failed *is in use by process *--vi-state*"])


def test_a_state_folder_that_cannot_be_made_is_a_failure_that_says_so(example: Example) -> None:
    example.state.parent.joinpath("file").touch()
    example.state = example.state.parent / "file" / "state"
    result = example.run("specs")
    result.assert_outcomes(passed=1, failed=1, skipped=19)
    result.stdout.fnmatch_lines(["preflight of debian-nginx failed *cannot start in *Not a directory*--vi-state*"])
