from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.critical_path import time_steps, trace_critical_path
from pytest_plugin.progress import Progress, TerminalLive
from pytest_plugin.run import StageResult
from pytest_plugin.stages import Stage
from pytest_plugin.summary import Summary, describe
from pytest_plugin.terminal import Terminal
from tests.plugin.conftest import TEMPLATE
from tests.plugin.test_gate import raising
from verified_images.errors import CloudError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Specs


def read_cases(file: Path) -> dict[str, ET.Element]:
    """Give the cases of a JUnit file by their names."""
    return {str(case.get("name")): case for case in ET.parse(file).iter("testcase")}  # noqa: S314 - what pytest wrote


def properties(case: ET.Element) -> dict[str | None, str | None]:
    """Give the properties of a case."""
    return {item.get("name"): item.get("value") for item in case.iter("property")}


class TestJUnit:
    @pytest.mark.parametrize("family", ["xunit1", "xunit2"])
    def test_cases_carry_the_facts_of_the_build(self, specs: Specs, family: str) -> None:
        specs.add(test_machine="def test_x(host, record_property):\n    record_property('mine', 1)\n")
        specs.run("specs", "--junit-xml=report.xml", "-o", f"junit_family={family}", "-W", "ignore")
        cases = read_cases(specs.pytester.path / "report.xml")
        assert list(cases)[:3] == ["preflight", "provision", "test_x[debian]"]
        facts = properties(cases["test_x[debian]"])
        assert re.fullmatch("[a-z2-7]{8}", facts.pop("run_id") or "")
        assert re.match(r"preflight \d+\.\d s.*, provision \d+\.\d s", facts.pop("critical_path") or "")
        assert facts == {
            "spec": "debian",
            "cloud": "fake",
            "location": "westeurope",
            "vm_size": "Standard_B2s",
            "source_image_version": "0.1.2",
            "mine": "1",
        }
        assert properties(cases["publish"])["image_id"] == "/golden/versions/1.0.0"
        assert properties(cases["test_serves_the_page[debian-0]"])["image_id"] == "/golden/versions/1.0.0"

    def test_cases_and_summary_tell_where_the_machines_were_made(self, specs: Specs) -> None:
        specs.cloud.fallen = (("Standard_B1s in westeurope, zone 1", "no capacity"),)
        ladder = "[Standard_B1s, Standard_B2s]\n  zone: 1"
        specs.add(template=TEMPLATE.replace("Standard_B2s", ladder))
        result = specs.run("specs", "--junit-xml=report.xml")
        used = "Standard_B2s in westeurope, zone 1"
        fallen = "Standard_B1s in westeurope, zone 1: no capacity"
        result.stdout.fnmatch_lines([f"debian: built on {used}, tested on {used}; not to be had: {fallen}"])
        facts = properties(read_cases(specs.pytester.path / "report.xml")["publish"])
        told = [facts[name] for name in ("vm_size", "zone", "smoke_vm_size", "smoke_zone", "not_to_be_had")]
        assert told == ["Standard_B2s", "1", "Standard_B2s", "1", fallen]

    @pytest.mark.parametrize("family", ["xunit1", "xunit2"])
    @pytest.mark.parametrize(
        ("logging", "element"),
        [("all", "system-out"), ("system-out", "system-out"), ("out-err", "system-out"), ("no", "")],
    )
    def test_output_of_provisioners_is_where_junit_logging_has_it(
        self, specs: Specs, family: str, logging: str, element: str
    ) -> None:
        specs.add("debian", test_machine="def test_x(host):\n    print('of the test')\n    assert 0\n")
        specs.add("ubuntu")
        specs.cloud.wrong["ubuntu: provision"] = raising(CloudError("Azure refused 'vm'"))
        result = specs.run(
            "specs", "--junit-xml=report.xml", "-o", f"junit_logging={logging}", "-o", f"junit_family={family}"
        )
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        cases = list(ET.parse(specs.pytester.path / "report.xml").iter("testcase"))  # noqa: S314 - what pytest wrote
        holding = [
            (case.get("name"), child.tag)
            for case in cases
            for child in case
            if "apt-get says hello" in (child.text or "") and child.tag != "failure"
        ]
        assert sorted(holding) == ([("provision", element), ("test_x[debian]", element)] if element else [])
        assert [case.get("file") is not None for case in cases] == [family == "xunit1"] * len(cases)

    def test_failing_stage_says_what_and_why_with_its_output(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = raising(CloudError("Azure refused 'vm'"))
        specs.run("specs", "--junit-xml=report.xml", "-o", "junit_logging=all")
        case = read_cases(specs.pytester.path / "report.xml")["provision"]
        failure = case.find("failure")
        assert failure is not None
        assert failure.get("message") == "Failed: provision of debian failed after 0 s: Azure refused 'vm'"
        assert "apt-get says hello" in (case.findtext("system-out") or "")

    def test_skipped_stage_says_what_closed_its_gate(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(host):\n    assert False\n")
        specs.run("specs", "--junit-xml=report.xml")
        skipped = read_cases(specs.pytester.path / "report.xml")["publish"].find("skipped")
        assert skipped is not None
        assert skipped.get("message") == "publish not done: specs/debian/test_machine.py::test_x[debian] failed"


class TestSections:
    LOG = "*Linux version 6.1"

    def test_of_a_failing_stage_have_its_output_and_the_serial_log(self, specs: Specs) -> None:
        specs.add()
        specs.cloud.wrong["debian: provision"] = raising(CloudError("Azure refused 'vm'"))
        result = specs.run("specs")
        result.stdout.fnmatch_lines(
            [
                "*Captured stdout of provision call*",
                "apt-get says hello",
                "*Captured stdout of the serial console of vm call*",
                self.LOG,
            ]
        )

    def test_of_the_first_failing_test_of_a_stage_have_them_too(self, specs: Specs) -> None:
        specs.add(test_machine="def test_a(host):\n    assert 0\ndef test_b(host):\n    assert 0\n")
        result = specs.run("specs")
        result.stdout.fnmatch_lines(["*test_a*", "apt-get says hello", self.LOG, "*test_b*"])
        assert result.stdout.str().count("apt-get says hello") == 1

    def test_of_an_expected_failure_have_none(self, specs: Specs) -> None:
        specs.add(test_machine="import pytest\n@pytest.mark.xfail\ndef test_a(host):\n    assert 0\n")
        specs.run("specs", "-rxX").stdout.no_fnmatch_line("apt-get says hello")


class TestSecrets:
    TEMPLATE = TEMPLATE + "variables: {token: {secret: true, default: hunter2}}\n"

    def test_are_masked_in_reports(self, specs: Specs) -> None:
        template = self.TEMPLATE.replace("image:", "provisioners:\n- shell: {inline: ['x {{ var.token }}']}\nimage:")
        test = "def test_a(host):\n    print('printed hunter2')\n    assert host.run('hunter2').stdout == ''\n"
        specs.add(template=template, test_machine=test)
        result = specs.run("specs", "--junit-xml=report.xml", "-o", "junit_logging=all", "-vv")
        result.stdout.fnmatch_lines(["*printed [*][*][*]"])
        result.stdout.no_fnmatch_line("*printed hunter2*")
        result.stdout.no_fnmatch_line("*AssertionError*hunter2*")
        assert "hunter2" not in (specs.pytester.path / "report.xml").read_text()


class TestSummary:
    def test_names_what_was_published(self, specs: Specs) -> None:
        specs.add("debian")
        specs.add("ubuntu", test_machine="def test_x(host):\n    assert False\n")
        result = specs.run("specs")
        result.stdout.fnmatch_lines(
            [
                "*= images =*",
                "debian: published /golden/versions/1.0.0, version 1.0.0 in westeurope, 0 s",
                "ubuntu: not published: specs/ubuntu/test_machine.py::test_x[[]ubuntu[]] failed",
            ]
        )

    def test_is_not_there_without_specs(self, specs: Specs) -> None:
        specs.pytester.makepyfile("def test_x(): ...")
        specs.run().stdout.no_fnmatch_line("*= images =*")


class TestHeader:
    def test_names_cloud_location_and_run(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs", "--vi-state=here")
        result.stdout.fnmatch_lines(["verified-images: local cloud, */here", "  debian: westeurope, run ????????"])

    def test_names_the_subscription_on_azure(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs", "--vi-cloud=azure", "--vi-subscription=1-2")
        result.stdout.fnmatch_lines(["verified-images: azure cloud, subscription 1-2"])


class TestLiveOutput:
    def test_is_shown_with_v(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("specs", "-v")
        result.stdout.fnmatch_lines(
            ["    [[]debian[]] preflight of debian goes on", "    [[]debian[]] | apt-get says hello"]
        )

    def test_is_not_shown_otherwise(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs").stdout.no_fnmatch_line("*goes on*")

    def test_is_a_line_every_few_seconds_where_nobody_watches(self, specs: Specs) -> None:
        specs.add()
        assert specs.run("specs", "-v").stdout.str().count("goes on") == 1

    @pytest.mark.parametrize("option", ["-s", "-sq"])
    def test_leaves_pytest_a_line_of_its_own(self, specs: Specs, option: str) -> None:
        specs.add()
        lines = specs.run("specs", option).outlines
        assert re.match(r"(specs/debian/template.yaml )?\.+$", lines[lines.index("    [debian] | and goodbye") + 1])

    def test_shows_every_step_to_who_watches(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.delenv("BUILD_NUMBER", raising=False)
        specs.add()
        specs.pytester.makeconftest(
            "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_configure(config):\n"
            "    reporter = config.pluginmanager.get_plugin('terminalreporter')\n"
            "    reporter.isatty = type(reporter.isatty)(True)\n"
        )
        result = specs.run("specs", "-v")
        result.stdout.fnmatch_lines(["    [[]debian[]] | apt-get says hello", "    [[]debian[]] | and goodbye"])
        assert result.stdout.str().count("goes on") == 6


class Screen:
    """Notes what is shown live."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, source: str, message: str) -> None:
        self.lines.append(f"{source}: {message}")

    def text(self, source: str, line: str) -> None:
        self.lines.append(f"{source}| {line}")


def test_the_critical_path_names_what_took_longest_in_each_stage() -> None:
    steps = time_steps([("source", 0.0), ("vm", 1.0), ("boot", 3.0), ("script", 3.2), ("cloud-init", 8.0)], 20.0)
    results = {
        Stage.PREFLIGHT: StageResult(2.0),
        Stage.PROVISION: StageResult(20.0, steps=steps),
        Stage.CAPTURE: StageResult(reason="a test failed"),
        Stage.CLEANUP: StageResult(4.0, steps=(("deleting", 0.3),)),
    }
    path = trace_critical_path(results)
    assert path == "preflight 2.0 s, provision 20.0 s (cloud-init: 12.0 s, script: 4.8 s), cleanup 4.0 s"


def test_a_step_that_tells_of_its_end_lasts_until_then_whatever_goes_on_beside_it() -> None:
    news, end = ("create vm: InProgress for 31 s", 5.0), ("create vm: 9.0 s", 9.0)
    begun = [("create vm ...", 0.0), ("create lb ...", 1.0), ("create lb: 3.0 s", 4.0), news, end]
    assert time_steps(begun, 12.0) == (("create vm", 9.0), ("create lb", 3.0))


@pytest.mark.parametrize("verbose", [False, True])
def test_the_critical_path_is_shown_to_those_who_want_to_know_more(specs: Specs, verbose: bool) -> None:  # noqa: FBT001
    specs.add()
    result = specs.run("specs", *(["-v"] if verbose else []))
    assert ("debian: critical path: preflight" in result.stdout.str()) is verbose


class TestProgress:
    def test_a_step_lasts_until_the_next_one(self) -> None:
        times = iter([1.0, 3.0, 7.0])
        progress = Progress("debian", Screen(), lambda: next(times))
        progress.step("vm")
        progress.step("boot")
        assert progress.steps() == (("vm", 2.0), ("boot", 4.0))

    def test_puts_pieces_of_output_together_to_lines(self) -> None:
        screen = Screen()
        progress = Progress("debian", screen)
        for chunk in ("a", "b\nc", "\n"):
            progress.text(chunk)
        assert screen.lines == ["debian| ab", "debian| c"]

    def test_ends_an_unfinished_line_before_a_step(self) -> None:
        screen = Screen()
        progress = Progress("debian", screen)
        progress.text("a")
        progress.step("next")
        assert screen.lines == ["debian| a", "debian: next"]
        assert progress.kept() == "a\nnext\n"

    def test_keeps_the_last_state_of_a_line_that_is_overwritten(self) -> None:
        progress = Progress("debian", Screen())
        progress.text("10%\r50%\r100%\r\ndone")
        assert progress.kept() == "100%\ndone\n"

    def test_forgets_at_the_beginning_of_a_stage(self) -> None:
        progress = Progress("debian", Screen())
        progress.text("a\nb")
        progress.begin()
        assert progress.kept() == ""


class TestPlainLines:
    def test_come_at_most_every_five_seconds(self, pytestconfig: pytest.Config) -> None:
        now = [0.0]
        shown: list[str] = []
        terminal = Terminal(None)
        terminal.show = shown.append  # type: ignore[assignment,method-assign]
        live = TerminalLive(pytestconfig, terminal, clock=lambda: now[0])
        live._shows_steps, live._watched = True, False
        for second in (0.0, 1.0, 4.9, 5.0, 6.0):
            now[0] = second
            live.step("debian", f"{second}")
        assert [line.split()[-1] for line in shown] == ["0.0", "5.0"]


def test_a_managed_image_is_published_without_a_version() -> None:
    lines = describe(Summary("web", "abc", ("/images/web", "/golden/versions/1.0.0"), "1.0.0", ("westeurope",)))
    assert lines[0] == "web: published /images/web in westeurope, 0 s"
    assert lines[1] == "web: published /golden/versions/1.0.0, version 1.0.0 in westeurope, 0 s"
