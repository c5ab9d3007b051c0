"""What pytest can do, in specs as anywhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import PLUGIN, CloudPlugin
from tests.plugin.watched import Watched

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


CLASSES = """
import unittest

import pytest


class TestOld(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def ask(self, host):
        self.host = host

    def test_it(self):
        self.assertEqual(self.host.run("echo").rc, 0)


class TestScaleSet:
    @pytest.mark.stage("scale_set")
    def test_marked(self, host): ...

    @pytest.mark.parametrize("number", [1, 2])
    def test_parametrized(self, instance, number): ...


@pytest.mark.usefixtures("scale_set")
def test_that_uses(): ...


@pytest.mark.xfail(strict=True)
def test_that_fails_as_expected(host):
    assert 0


def test_of_parts(host, subtests):
    with subtests.test("a"):
        pass
"""


def test_classes_of_pytest_and_of_unittest_belong_to_stages(specs: Specs) -> None:
    specs.add(test_more=CLASSES)
    result = specs.run("specs", "-v")
    result.stdout.fnmatch_lines(
        [
            "*test_more.py::TestOld::test_it PASSED*",
            "*test_more.py::test_that_fails_as_expected[[]debian[]] XFAIL*",
            "*template.yaml::capture PASSED*",
            "*test_more.py::TestScaleSet::test_parametrized[[]debian-0-2[]] PASSED*",
            "*test_more.py::TestScaleSet::test_marked[[]debian-1[]] PASSED*",
            "*test_more.py::test_that_uses[[]debian[]] PASSED*",
            "debian: published *",
        ]
    )


def test_doctests_of_a_spec_are_part_of_its_suite(specs: Specs) -> None:
    folder = specs.add()
    (folder / "words.py").write_text('def double(x):\n    """\n    >>> double(1)\n    3\n    """\n    return 2 * x\n')
    result = specs.run("specs", "--doctest-modules")
    result.assert_outcomes(passed=4, failed=1, skipped=5)
    result.stdout.fnmatch_lines(["debian: not published: specs/debian/words.py::specs.debian.words.double failed"])


def test_warnings_are_told_of_the_test_that_gave_them(specs: Specs) -> None:
    specs.add(test_machine="import warnings\ndef test_it(host):\n    warnings.warn('careful')\n")
    result = specs.run("specs", "-W", "default")
    result.assert_outcomes(passed=9, warnings=1)
    result.stdout.fnmatch_lines(["specs/debian/test_machine.py::test_it[[]debian[]]", "*UserWarning: careful"])


SHUFFLE = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.reverse()
"""


@pytest.mark.parametrize("option", ["--nf", "--ff", "-p no:cacheprovider", "-p shuffle"])
def test_whoever_reorders_tests_does_not_reorder_stages(specs: Specs, option: str) -> None:
    specs.pytester.makepyfile(shuffle=SHUFFLE)
    specs.pytester.syspathinsert()
    specs.add("one")
    specs.add("two")
    specs.run("specs").assert_outcomes(passed=18)
    result = specs.run("specs", *option.split(), "-v")
    result.assert_outcomes(passed=18)
    for name in ("one", "two"):
        ids = [line.split()[0] for line in result.outlines if line.startswith(f"specs/{name}/") and "PASSED" in line]
        assert [nodeid.partition("::")[2] for nodeid in ids if "template" in nodeid] == [
            *("preflight", "provision", "capture", "deploy", "publish", "cleanup"),
        ]
        assert [nodeid.partition("::")[0].partition("test_")[2] for nodeid in ids if "test_" in nodeid] == [
            *("machine.py", "scale_set.py", "scale_set.py"),
        ]


SCOPES = """
import pytest


def told(scope):
    @pytest.fixture(scope=scope)
    def fixture():
        print(f"\\nBEGIN {scope}")
        yield
        print(f"\\nEND {scope}")

    return fixture


of_session, of_package, of_module, of_class = map(told, ["session", "package", "module", "class"])
"""
SCOPED = """
class TestIt:
    def test_a(self, host, of_session, of_package, of_module, of_class): ...
    def test_b(self, host, of_session, of_package, of_module, of_class): ...


def test_c(instance, of_session, of_package, of_module): ...
"""


def test_fixtures_of_every_scope_are_set_up_once_a_visit(specs: Specs) -> None:
    for name in ("one", "two"):
        folder = specs.add(name, test_machine=SCOPED, test_scale_set="")
        (folder / "conftest.py").write_text(SCOPES)
    result = specs.run("specs", "-s", "--vi-jobs=1")
    result.assert_outcomes(passed=20)
    told = [line for line in result.outlines if line.startswith("BEGIN ")]
    # A module is visited on the machine and on the instances.
    count = {scope: told.count(f"BEGIN {scope}") for scope in ("session", "class", "module")}
    assert count == {"session": 2, "class": 2, "module": 4}
    assert told.count("BEGIN package") in (2, 4)
    assert sorted(told) == sorted(line.replace("END", "BEGIN") for line in result.outlines if line.startswith("END "))


def test_fixtures_are_listed_with_what_they_are(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")
    result = specs.run("specs", "--fixtures")
    result.stdout.fnmatch_lines(["vm [[]module scope[]] -- *", "    The provisioned build VM: *"])
    assert result.stdout.str().count("The provisioned build VM") == 1
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    specs.run("specs", "--fixtures-per-test").stdout.fnmatch_lines(["*fixtures used by test_serves_the_page?two-1?*"])
    assert not [line for line in specs.cloud.log if line != "closed"]


def test_a_plan_of_set_ups_names_targets_and_tells_of_no_images(specs: Specs) -> None:
    specs.add()
    result = specs.run("specs", "--setup-plan")
    result.stdout.fnmatch_lines(["*SETUP    M _vi_target?debian-1?*"])
    result.stdout.no_fnmatch_line("*= images =*")


def test_set_ups_are_shown_while_images_are_built(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")
    result = specs.run("specs", "--setup-show")
    result.assert_outcomes(passed=18)
    result.stdout.fnmatch_lines(["*SETUP    M host*"])


def test_the_debugger_finds_the_machine_alive_and_what_it_leaves_is_cleaned_up(specs: Specs) -> None:
    specs.add("one", test_machine="def test_it(host):\n    assert host.run('echo').stdout == 'never'\n")
    specs.add("two")
    specs.pytester.makeconftest(
        "from pytest_plugin.cloud import cloud_key\nfrom tests.plugin.fakes import FakeCloud\n"
        "def pytest_configure(config):\n    config.stash[cloud_key] = FakeCloud()\n"
    )
    with Watched(specs.pytester.path, "specs", "--pdb") as run:
        run.see(lambda run: run.line.startswith("(Pdb) "), "the debugger")
        run.press("host.run('uname').stdout\n")
        run.see(lambda run: "'uname'" in run.screen, "what the machine says")
        run.press("q\n")
        assert run.end() == pytest.ExitCode.INTERRUPTED
    assert "[one] cleaning up run" in run.told
    assert "one: not published: specs/one/test_machine.py::test_it[one] failed" in run.told
    assert "LEFT BEHIND" not in run.told


RERUN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if not item.get_closest_marker("flaky"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(3):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = any(report.failed for report in reports)
        for report in reports:
            if report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not failed:
            break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True

def pytest_report_teststatus(report):
    if report.outcome == "rerun":
        return "rerun", "R", "RERUN"
"""


def test_a_test_that_passes_when_it_is_run_again_has_passed(specs: Specs) -> None:
    specs.pytester.makeconftest(RERUN)
    specs.pytester.makeini("[pytest]\nmarkers = flaky\n")
    specs.add(
        test_machine="import itertools, pytest\ntimes = itertools.count()\n@pytest.mark.flaky\n"
        "def test_it(host):\n    assert next(times)\n"
    )
    result = specs.run("specs", "-v")
    result.stdout.fnmatch_lines(["*test_it?debian? RERUN*", "*test_it?debian? PASSED*", "debian: published *"])
    assert result.ret == pytest.ExitCode.OK


def test_time_limits_of_tests_are_none_of_stages(specs: Specs) -> None:
    specs.add()
    specs.cloud.wrong["debian: provision"] = lambda: time.sleep(1.2)
    specs.run("specs", "--timeout=1").assert_outcomes(passed=9)


def test_a_spec_without_the_plugin_is_a_folder_like_any_other(specs: Specs) -> None:
    specs.add(test_machine="def test_it():\n    pass\n", test_scale_set="")
    result = specs.pytester.runpytest_subprocess("-p", "no:verified_images", "specs")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*images*=*")
