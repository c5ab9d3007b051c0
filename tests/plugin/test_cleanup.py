from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import CleanupError, CloudError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Specs


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class TestCleanup:
    def test_is_done_by_its_item(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.log.count("debian: cleanup") == 1

    @pytest.mark.parametrize(
        "arguments", [["--deselect", "specs/debian/template.yaml::cleanup"], ["-k", "not cleanup"]]
    )
    def test_is_done_at_the_end_when_its_item_was_not_selected(self, specs: Specs, arguments: list[str]) -> None:
        specs.add()
        specs.run("specs", *arguments).assert_outcomes(passed=7, skipped=1, deselected=1)
        assert specs.cloud.log[-2:] == ["debian: cleanup", "closed"]

    def test_is_not_needed_when_nothing_was_begun(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs/debian/template.yaml::cleanup").assert_outcomes(passed=1)
        assert specs.cloud.log == ["closed"]

    def test_comes_after_fixtures_that_use_the_machine_are_torn_down(self, specs: Specs) -> None:
        module = (
            "import pytest\n@pytest.fixture\ndef page(host):\n    yield\n    host.run('last')\n"
            "def test_x(page):\n    raise KeyboardInterrupt\n"
        )
        specs.add(test_machine=module)
        specs.run("specs")
        assert specs.cloud.sessions["vm"].commands == ["last"]
        assert specs.cloud.log[-2:] == ["debian: cleanup", "closed"]

    def test_is_done_also_when_another_plugin_cannot_finish(self, specs: Specs) -> None:
        specs.add()
        (specs.pytester.path / "file").touch()
        specs.run("specs/debian/test_machine.py", "--junit-xml=file/report.xml")
        assert specs.cloud.log[-2:] == ["debian: cleanup", "closed"]


class TestLeftovers:
    def test_of_the_cleanup_item_fail_it_and_are_named(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.leaks = ("/group/left",)
        result = specs.run("specs")
        result.assert_outcomes(passed=8, failed=1)
        result.stdout.fnmatch_lines(
            [
                "cleanup of debian failed after 0 s: 1 temporary resource(s) are still there: /group/left",
                "debian: published /golden/versions/1.0.0*",
                "debian: LEFT BEHIND by run *; `verified-images reap --run *` removes it:",
                "  /group/left",
            ]
        )

    def test_of_the_cleanup_at_the_end_make_the_exit_code_non_zero(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.leaks = ("/group/left",)
        result = specs.run("specs/debian/test_machine.py")
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["debian: LEFT BEHIND by run *", "  /group/left"])

    def test_of_one_spec_do_not_keep_another_from_its_cleanup(self, specs: Specs) -> None:
        specs.add("debian")
        specs.add("ubuntu")

        def refuse() -> None:
            raise CloudError("Azure refused")

        specs.cloud.wrong["debian: cleanup"] = refuse
        result = specs.run("specs", "-k", "machine")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert sorted(specs.cloud.log[-3:-1]) == ["debian: cleanup", "ubuntu: cleanup"]
        assert specs.cloud.log[-1] == "closed"
        result.stdout.fnmatch_lines(["debian: Azure refused", "debian: LEFT BEHIND*", "  /group"])

    def test_of_a_run_with_an_internal_error_are_named_too(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(host): ...\n")
        specs.cloud.leaks = ("/group/left",)
        specs.pytester.makeconftest("def pytest_runtest_logfinish(nodeid):\n    assert 'test_x' not in nodeid\n")
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERNAL_ERROR
        result.stdout.fnmatch_lines(["debian: LEFT BEHIND by run *", "  /group/left"])


class TestInterruption:
    @pytest.mark.parametrize("how", [interrupt, terminate])
    def test_of_a_stage_cleans_up(self, specs: Specs, how: Callable[[], None]) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = how
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert specs.cloud.log == ["debian: preflight", "debian: provision", "debian: cleanup", "closed"]
        result.stdout.fnmatch_lines(
            [
                "    [[]debian[]] cleaning up run ????????",
                "debian: not published: provision was interrupted",
            ]
        )

    def test_by_sigterm_leaves_the_handler_as_it_was(self, specs: Specs) -> None:
        before = signal.getsignal(signal.SIGTERM)
        specs.add()
        specs.cloud.wrong["debian: provision"] = terminate
        specs.run("specs")
        assert signal.getsignal(signal.SIGTERM) is before

    def test_of_the_cleanup_item_is_made_up_for_at_the_end(self, specs: Specs) -> None:
        specs.add()

        def once() -> None:
            del specs.cloud.wrong["debian: cleanup"]
            raise KeyboardInterrupt

        specs.cloud.wrong["debian: cleanup"] = once
        specs.run("specs")
        assert specs.cloud.log[-3:] == ["debian: cleanup", "debian: cleanup", "closed"]

    @pytest.mark.parametrize("arguments", [("specs",), ("specs/debian/test_machine.py",)], ids=["stage", "fixture"])
    def test_shows_where_it_came_from_only_on_request(self, specs: Specs, arguments: tuple[str, ...]) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = interrupt
        specs.run(*arguments).stdout.no_fnmatch_line("*fakes.py:*")
        specs.run(*arguments, "--full-trace").stdout.fnmatch_lines(["*fakes.py:*"])

    def test_a_second_time_names_what_is_left(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = interrupt
        specs.cloud.wrong["debian: cleanup"] = interrupt
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["debian: LEFT BEHIND by run *", "  /group"])


class TestTimeForTheCleanup:
    def test_is_limited_once_the_session_was_interrupted(self, specs: Specs) -> None:
        specs.add("debian")
        specs.add("ubuntu")
        specs.cloud.wrong["debian: provision"] = terminate
        specs.run("specs/debian", "--vi-cleanup-timeout=1h")
        assert specs.cloud.log[-2].startswith("debian: cleanup within 3")

        specs.run("specs/ubuntu", "--vi-cleanup-timeout=1h")
        assert specs.cloud.log[-2] == "ubuntu: cleanup"

    def test_may_be_up_before_it_begins(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = terminate
        result = specs.run("specs", "--vi-cleanup-timeout=0.001")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(
            [
                "debian: there was no time left for the clean-up (--vi-cleanup-timeout)",
                "debian: LEFT BEHIND by run *; `verified-images reap --run *` removes it:",
                "  /group",
            ]
        )


class TestErrorOfCleanup:
    def test_that_leaves_nothing_is_told(self, specs: Specs) -> None:
        specs.add()

        def fail() -> None:
            raise CleanupError((), [CloudError("ARM could not be asked")])

        specs.cloud.wrong["debian: cleanup"] = fail
        result = specs.run("specs/debian/test_machine.py")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["debian: clean-up failed: ARM could not be asked"])
