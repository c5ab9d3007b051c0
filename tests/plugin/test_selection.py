from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

TWO_TESTS = "def test_a(host):\n    pass\n\ndef test_b(host):\n    pass\n"


class TestNodeIds:
    def test_run_the_stages_that_they_need_and_publish_nothing(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs/debian/test_scale_set.py::test_serves_the_page")
        result.assert_outcomes(passed=2)
        assert specs.cloud.log == [
            "debian: preflight",
            "debian: provision",
            "debian: capture",
            "debian: deploy",
            "debian: cleanup",
            "closed",
        ]
        result.stdout.fnmatch_lines(["debian: not published: not collected: *"])
        assert result.ret == pytest.ExitCode.OK

    def test_of_one_instance_test_that_instance(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs/debian/test_scale_set.py::test_serves_the_page[debian-1]").assert_outcomes(passed=1)

    def test_of_a_machine_test_build_no_more_than_the_machine(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs/debian/test_machine.py").assert_outcomes(passed=1)
        assert specs.cloud.log == ["debian: preflight", "debian: provision", "debian: cleanup", "closed"]

    def test_of_a_stage_do_what_comes_before_it(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs/debian/template.yaml::provision").assert_outcomes(passed=1)
        assert specs.cloud.log == ["debian: preflight", "debian: provision", "debian: cleanup", "closed"]

    def test_of_publish_alone_build_nothing(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs/debian/template.yaml::publish", "-rs")
        result.assert_outcomes(skipped=1)
        assert specs.cloud.log == ["closed"]
        result.stdout.fnmatch_lines(["SKIPPED*publish not done: not collected: specs/debian/test_*"])

    def test_of_every_file_are_the_whole_suite(self, specs: Specs) -> None:
        folder = specs.add()
        (folder / "files").mkdir()
        specs.run(*(f"specs/debian/{name}" for name in ("template.yaml", "test_machine.py", "test_scale_set.py")))
        assert "debian: publish from ss" in specs.cloud.log


class TestPartOfASuite:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["-k", "not test_b"], "not selected: specs/debian/test_machine.py::test_b[[]debian[]]"),
            (["-m", "not slow"], "not selected: specs/debian/test_machine.py::test_b[[]debian[]]"),
            (["--deselect", "specs/debian/test_machine.py::test_b"], "not selected: *::test_b[[]debian[]]"),
            (["--ignore", "specs/debian/test_scale_set.py"], "left out by --ignore: */specs/debian/test_scale_set.py"),
            (["--ignore-glob", "*_scale_set.py"], "left out by --ignore: */specs/debian/test_scale_set.py"),
        ],
    )
    def test_publishes_nothing_and_says_why(self, specs: Specs, arguments: list[str], reason: str) -> None:
        specs.add(test_machine="import pytest\n" + TWO_TESTS.replace("def test_b", "@pytest.mark.slow\ndef test_b"))
        specs.pytester.makeini("[pytest]\nmarkers = slow: takes long\n")
        result = specs.run("specs", "-rs", *arguments)
        assert result.ret == pytest.ExitCode.OK
        assert "debian: publish from ss" not in specs.cloud.log
        assert "debian: deploy" in specs.cloud.log
        result.stdout.fnmatch_lines([f"debian: not published: {reason}", f"SKIPPED*publish not done: {reason}"])

    def test_of_last_failures_publishes_nothing(self, specs: Specs) -> None:
        specs.add(
            test_machine="import os\ndef test_a(host):\n    assert os.path.exists('fixed')\ndef test_b(host): ...\n"
        )
        specs.run("specs").assert_outcomes(passed=4, failed=1, skipped=5)
        specs.pytester.makefile("", fixed="")
        specs.cloud.log.clear()
        result = specs.run("specs", "--lf")
        assert "debian: publish from ss" not in specs.cloud.log
        result.stdout.fnmatch_lines(["debian: not published: not collected: *"])

    def test_with_failures_first_is_a_whole_suite(self, specs: Specs) -> None:
        specs.add(
            test_machine="import os\ndef test_a(host):\n    assert os.path.exists('fixed')\ndef test_b(host): ...\n"
        )
        specs.run("specs")
        specs.pytester.makefile("", fixed="")
        specs.run("specs", "--ff").assert_outcomes(passed=10)
        assert specs.cloud.log[-3:-1] == ["debian: publish from ss", "debian: cleanup"]

    def test_that_got_other_names_is_the_same(self, specs: Specs) -> None:
        specs.add()
        # As pytest-xdist does with the groups of tests, where pytest lets it.
        specs.pytester.makeconftest(
            "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n"
            "    for item in items:\n        own, name = type(item), item.nodeid + '@group'\n"
            "        item.__class__ = type(own)('Own', (own,), {'nodeid': name, 'id': name})\n"
        )
        result = specs.run("specs")
        result.assert_outcomes(passed=9)
        assert "debian: publish from ss" in specs.cloud.log

    def test_left_out_by_a_conftest_is_no_part_of_the_suite(self, specs: Specs) -> None:
        folder = specs.add(test_draft="def test_nothing(host):\n    assert False\n")
        (folder / "conftest.py").write_text("collect_ignore = ['test_draft.py']\n")
        specs.run("specs").assert_outcomes(passed=9)

    def test_that_stops_early_publishes_nothing_but_cleans_up(self, specs: Specs) -> None:
        specs.add(test_machine="def test_a(host):\n    assert False\n")
        result = specs.run("specs", "-x")
        result.assert_outcomes(passed=2, failed=1)
        assert specs.cloud.log == ["debian: preflight", "debian: provision", "debian: cleanup", "closed"]
        result.stdout.fnmatch_lines(["debian: not published: specs/debian/test_machine.py::test_a[[]debian[]] failed"])

    def test_is_found_by_the_name_of_the_spec(self, specs: Specs) -> None:
        specs.add("debian")
        specs.add("ubuntu")
        specs.run("specs", "-k", "ubuntu").assert_outcomes(passed=9, deselected=9)
        assert "ubuntu: publish from ss" in specs.cloud.log

    def test_in_a_subfolder_counts(self, specs: Specs) -> None:
        folder = specs.add()
        (folder / "more").mkdir()
        (folder / "more" / "test_more.py").write_text("def test_more(host):\n    pass\n")
        specs.run("specs").assert_outcomes(passed=10)
        assert "debian: publish from ss" in specs.cloud.log
        specs.cloud.log.clear()
        specs.run("specs/debian/template.yaml", "specs/debian/test_machine.py", "specs/debian/test_scale_set.py")
        assert "debian: publish from ss" not in specs.cloud.log


class TestWithheld:
    def test_by_no_publish(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs", "--vi-no-publish")
        result.assert_outcomes(passed=8, skipped=1)
        result.stdout.fnmatch_lines(["debian: not published: --vi-no-publish was given"])


class TestCollectOnly:
    def test_creates_nothing_and_starts_nothing(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs", "--collect-only", "-q")
        result.stdout.fnmatch_lines(
            [
                "specs/debian/template.yaml::preflight",
                "specs/debian/template.yaml::provision",
                "specs/debian/test_machine.py::test_nginx_is_enabled[[]debian[]]",
                "specs/debian/template.yaml::capture",
            ]
        )
        assert specs.cloud.log == ["closed"]

    def test_needs_no_subscription(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
        specs.add()
        assert specs.run("specs", "--collect-only", "--vi-cloud=azure").ret == pytest.ExitCode.OK

    def test_is_not_what_setup_plan_is_but_that_creates_nothing_either(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs", "--setup-plan").stdout.fnmatch_lines(
            ["*test_nginx_is_enabled?debian? (fixtures used:*host*"]
        )
        assert specs.cloud.log == ["closed"]


class TestRunningFromInsideASpec:
    def test_is_the_same_spec(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(specs.add())
        result = specs.run("-v")
        result.assert_outcomes(passed=9)
        result.stdout.fnmatch_lines(
            ["template.yaml::preflight PASSED*", "test_machine.py::test_nginx_is_enabled[[]debian[]]*"]
        )
        assert "debian: publish from ss" in specs.cloud.log
