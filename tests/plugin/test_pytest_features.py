"""What pytest can do, in specs as anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import PLUGIN, CloudPlugin

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

THREE_TESTS = """
import pathlib
def test_a(host): assert pathlib.Path("fixed").exists()
def test_b(host): assert pathlib.Path("fixed").exists()
def test_c(host): assert True
"""


def test_the_session_ends_after_as_many_failures_as_allowed(specs: Specs) -> None:
    specs.add(test_machine=THREE_TESTS)
    result = specs.run("specs", "--maxfail=2")
    result.assert_outcomes(passed=2, failed=2)
    assert specs.cloud.log[-2:] == ["debian: cleanup", "closed"]


def test_stepwise_goes_on_where_it_stopped(specs: Specs) -> None:
    specs.add(test_machine=THREE_TESTS)
    specs.run("specs", "--stepwise").assert_outcomes(passed=2, failed=1)
    (specs.pytester.path / "fixed").touch()
    result = specs.run("specs", "--stepwise")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["debian: not published: *not selected: *"])


def test_markers_of_the_user_select(specs: Specs) -> None:
    specs.pytester.makeini("[pytest]\nmarkers = smoke\n")
    specs.add(test_machine="import pytest\n@pytest.mark.smoke\ndef test_a(host): ...\ndef test_b(host): ...\n")
    specs.run("specs", "-m", "smoke").assert_outcomes(passed=1, deselected=9)


def test_several_folders_and_files_are_run_together(specs: Specs) -> None:
    for name in ("one", "two", "three"):
        specs.add(name)
    specs.run("specs/one", "specs/three/test_machine.py").assert_outcomes(passed=10)
    assert not [line for line in specs.cloud.log if line.startswith("two:")]


@pytest.mark.parametrize("scope", ["function", "module"])
def test_parametrized_fixtures_of_the_user_run_on_one_machine(specs: Specs, scope: str) -> None:
    module = (
        f"import pytest\n@pytest.fixture(params=['a', 'b'], scope='{scope}')\n"
        "def user(request, host):\n    return request.param\n"
        "def test_user(user, host):\n    assert user in ('a', 'b')\n"
    )
    specs.add(test_machine=module)
    specs.run("specs").assert_outcomes(passed=10)
    assert specs.cloud.log.count("debian: provision") == 1


def test_async_tests_are_run_by_whoever_runs_them(specs: Specs) -> None:
    module = (
        "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
        "@pytest.mark.anyio\nasync def test_a(host):\n    assert host.run('echo').rc == 0\n"
    )
    specs.add(test_machine=module)
    result = specs.pytester.runpytest_inprocess(
        *PLUGIN, "-p", "no:hypothesispytest", "specs", plugins=[CloudPlugin(specs.cloud)]
    )
    result.assert_outcomes(passed=9)


def test_hosts_of_testinfra_are_left_alone_outside_specs(specs: Specs) -> None:
    specs.add()
    specs.pytester.makepyfile(
        test_else="testinfra_hosts = ['local://']\n"
        "def test_it(host):\n    assert host.backend.get_connection_type() == 'local'\n"
    )
    result = specs.run("specs", "test_else.py", "-v")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["test_else.py::test_it?local* PASSED*"])


def test_a_test_that_asks_for_the_image_alone_runs_once_it_is_captured(specs: Specs) -> None:
    specs.add(test_image="def test_it(image):\n    assert image.id == '/golden/versions/1.0.0'\n")
    specs.run("specs/debian/test_image.py").assert_outcomes(passed=1)
    assert "debian: deploy" not in specs.cloud.log


def test_fixtures_of_the_root_conftest_are_there_and_ours_win_over_them(specs: Specs) -> None:
    specs.pytester.makeconftest(
        "import pytest\n@pytest.fixture\ndef port(): return 80\n@pytest.fixture\ndef image(): return 'mine'\n"
    )
    specs.add(test_scale_set="def test_x(instance, port, image):\n    assert port == 80\n    assert image.id\n")
    specs.run("specs").assert_outcomes(passed=9)


def test_the_slowest_are_told(specs: Specs) -> None:
    specs.add()
    specs.run("specs", "--durations=3", "-vv").stdout.fnmatch_lines(["*slowest 3 durations*"])


@pytest.mark.parametrize(
    "plugin",
    [
        *("cacheprovider", "xdist", "terminal", "junitxml", "logging", "capture", "setuponly", "debugging", "warnings"),
        *("skipping", "stepwise", "lfplugin", "nose", "testinfra", "tmpdir", "threadexception", "doctest", "assertion"),
    ],
)
def test_other_plugins_may_be_left_out(specs: Specs, plugin: str) -> None:
    specs.add("one")
    specs.add("two")
    result = specs.run("specs", "-p", f"no:{plugin}")
    assert result.ret == pytest.ExitCode.OK
    assert {"one: publish from ss", "two: publish from ss", "one: cleanup", "two: cleanup"} <= set(specs.cloud.log)
