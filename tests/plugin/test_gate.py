from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.errors import CloudError, PreflightError, ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Specs

FAILING_MACHINE_TEST = "def test_page(host):\n    assert host.name == 'no'\n\ndef test_other(host):\n    pass\n"
FAILING_SMOKE_TEST = "def test_page(instance):\n    assert instance.index != 1\n"


def raising(error: BaseException) -> Callable[[], None]:
    def wrong() -> None:
        raise error

    return wrong


class TestFailingMachineTest:
    def test_captures_nothing_and_says_what_closed_the_gate(self, specs: Specs) -> None:
        specs.add(test_machine=FAILING_MACHINE_TEST)
        result = specs.run("specs", "-rs")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=4, failed=1, skipped=5)
        result.stdout.fnmatch_lines(
            [
                "SKIPPED*template.yaml:1: capture not done: specs/debian/test_machine.py::test_page[[]debian[]] failed",
                "SKIPPED*template.yaml:1: deploy not done: specs/debian/test_machine.py::test_page[[]debian[]] failed",
                "SKIPPED*template.yaml:1: publish not done: *test_page[[]debian[]] failed*",
            ]
        )
        result.stdout.fnmatch_lines(
            ["debian: not published: specs/debian/test_machine.py::test_page[[]debian[]] failed"]
        )
        assert specs.cloud.log == ["debian: preflight", "debian: provision", "debian: cleanup", "closed"]

    def test_which_fails_in_its_fixture_closes_the_gate_too(self, specs: Specs) -> None:
        module = (
            "import pytest\n@pytest.fixture(scope='module')\ndef broken(host):\n    yield\n    raise OSError('full')\n"
            "def test_page(broken):\n    pass\n"
        )
        specs.add(test_machine=module)
        specs.run("specs").assert_outcomes(passed=4, errors=1, skipped=5)
        assert "debian: capture" not in specs.cloud.log


class TestFailingSmokeTest:
    def test_publishes_nothing(self, specs: Specs) -> None:
        specs.add(test_scale_set=FAILING_SMOKE_TEST)
        result = specs.run("specs")
        result.assert_outcomes(passed=7, failed=1, skipped=1)
        assert specs.cloud.log[-3:] == ["debian: deploy", "debian: cleanup", "closed"]
        result.stdout.fnmatch_lines(["debian: not published: *test_page[[]debian-1[]] failed"])


class TestSkippedTest:
    SKIPPING = "import pytest\ndef test_page(host):\n    pytest.skip('not today')\n"

    def test_did_not_run_so_nothing_is_published(self, specs: Specs) -> None:
        specs.add(test_machine=self.SKIPPING)
        result = specs.run("specs")
        result.assert_outcomes(passed=7, skipped=2)
        result.stdout.fnmatch_lines(["debian: not published: *test_page[[]debian[]] was skipped"])
        assert "debian: publish from ss" not in specs.cloud.log

    @pytest.mark.parametrize("how", ["option", "ini"])
    def test_is_let_through_where_the_user_allows_it(self, specs: Specs, how: str) -> None:
        specs.add(test_machine=self.SKIPPING)
        if how == "ini":
            specs.pytester.makeini("[pytest]\nvi_allow_skips = true\n")
        specs.run("specs", *(["--vi-allow-skips"] if how == "option" else []))
        assert "debian: publish from ss" in specs.cloud.log

    @pytest.mark.parametrize("allowed", [False, True])
    def test_may_be_all_of_a_module(self, specs: Specs, allowed: bool) -> None:  # noqa: FBT001
        specs.add(test_more="import pytest\npytest.skip('not here', allow_module_level=True)\n")
        result = specs.run("specs", *(["--vi-allow-skips"] if allowed else []))
        assert ("debian: publish from ss" in specs.cloud.log) is allowed
        if not allowed:
            result.stdout.fnmatch_lines(["debian: not published: skipped as a whole: specs/debian/test_more.py"])

    def test_is_not_let_through_when_every_test_was(self, specs: Specs) -> None:
        specs.add(test_machine=self.SKIPPING, test_scale_set="")
        result = specs.run("specs", "--vi-allow-skips")
        result.stdout.fnmatch_lines(["debian: not published: no test of the spec ran"])


class TestExpectedFailure:
    def test_that_fails_counts_as_passed(self, specs: Specs) -> None:
        specs.add(test_machine="import pytest\n@pytest.mark.xfail\ndef test_page(host):\n    assert False\n")
        specs.run("specs").assert_outcomes(passed=8, xfailed=1)
        assert "debian: publish from ss" in specs.cloud.log

    def test_that_is_not_run_counts_as_skipped(self, specs: Specs) -> None:
        specs.add(test_machine="import pytest\n@pytest.mark.xfail(run=False)\ndef test_page(host):\n    assert False\n")
        specs.run("specs")
        assert "debian: publish from ss" not in specs.cloud.log

    def test_that_passes_closes_the_gate_when_strict(self, specs: Specs) -> None:
        specs.add(test_machine="import pytest\n@pytest.mark.xfail(strict=True)\ndef test_page(host):\n    pass\n")
        specs.run("specs").assert_outcomes(passed=3, failed=1, skipped=5)


class TestFailingSubtest:
    def test_closes_the_gate(self, specs: Specs) -> None:
        module = "def test_page(host, subtests):\n    with subtests.test('a'):\n        assert False\n"
        specs.add(test_machine=module)
        assert specs.run("specs").ret == pytest.ExitCode.TESTS_FAILED
        assert "debian: capture" not in specs.cloud.log


class TestSpecWithoutTests:
    def test_is_not_published(self, specs: Specs) -> None:
        specs.add(test_machine="", test_scale_set="")
        result = specs.run("specs")
        result.assert_outcomes(passed=5, skipped=1)
        result.stdout.fnmatch_lines(["debian: not published: no test of the spec ran"])


class TestFailingStage:
    def test_is_told_in_one_sentence_and_skips_what_builds_on_it(self, specs: Specs) -> None:
        specs.add()
        error = ProvisionerError(
            "shell provisioner 1 ended with exit code 7", kind="shell", index=1, tail="E: no nginx"
        )
        specs.cloud.wrong["debian: provision"] = raising(error)
        result = specs.run("specs", "-rfs")
        result.assert_outcomes(passed=2, failed=1, skipped=6)
        result.stdout.fnmatch_lines(
            [
                "*provision of debian failed after 0 s: shell provisioner 1 ended with exit code 7",
                "*E: no nginx",
                "*Captured stdout of provision call*",
                "apt-get says hello",
                "and goodbye",
                "debian: not published: provision failed: shell provisioner 1 ended with exit code 7",
                "FAILED specs/debian/template.yaml::provision - *provision of debian fa*",
                "SKIPPED*test_machine.py:1: provision failed",
                "SKIPPED*template.yaml:1: capture not done: provision failed",
                "SKIPPED*template.yaml:1: publish not done: provision failed",
            ],
        )
        result.stdout.no_fnmatch_line("*fakes.py*")

    @pytest.mark.parametrize("option", ["--full-trace", "-vv"])
    def test_is_told_with_its_traceback_on_demand(self, specs: Specs, option: str) -> None:
        specs.add()
        specs.cloud.wrong["debian: preflight"] = raising(PreflightError(["no quota"]))
        specs.run("specs", option).stdout.fnmatch_lines(["*fakes.py*"])

    def test_that_a_test_asked_for_is_told_in_one_sentence_too(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = raising(CloudError("Azure refused 'vm'"))
        result = specs.run("specs/debian/test_machine.py")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["*provision of debian failed after 0 s: Azure refused 'vm'", "debian: not published*"]
        )
        result.stdout.no_fnmatch_line("*fakes.py*")

    def test_that_is_our_own_mistake_keeps_its_traceback(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: deploy"] = raising(ZeroDivisionError("oh"))
        result = specs.run("specs")
        result.assert_outcomes(passed=5, failed=1, skipped=3)
        result.stdout.fnmatch_lines(["*fakes.py:*", "E *ZeroDivisionError: oh"])
