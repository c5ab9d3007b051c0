from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from tests.plugin.conftest import OTHERS, PLUGIN
from tests.plugin.test_reports import properties
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

ROOT = Path(__file__).parents[2]

CONFTEST = """\
import os
import time
from pathlib import Path

from pytest_plugin.cloud import cloud_key
from tests.plugin.fakes import FakeCloud


class Log(list):
    def append(self, line):
        with Path(__file__).with_name("log.txt").open("a") as file:
            print(os.environ.get("PYTEST_XDIST_WORKER", "controller"), line, file=file)


def deploy():
    if os.environ.get("SLOW"):
        time.sleep(60)


def clean_up():
    if os.environ.get("SLOW"):
        time.sleep(float(os.environ["SLOW"]))


def provision():
    time.sleep(float(os.environ.get("PAUSE", "0")))


def pytest_configure(config):
    leaks = ("/group/left",) if os.environ.get("LEAK") else ()
    wrong = {"debian: deploy": deploy, "debian: cleanup": clean_up}
    wrong |= {"debian: provision": provision, "ubuntu: provision": provision}
    config.stash[cloud_key] = FakeCloud(log=Log(), leaks=leaks, wrong=wrong)
"""


@pytest.fixture
def spread(specs: Specs, monkeypatch: pytest.MonkeyPatch) -> Specs:
    """Two specs and an ordinary module, for runs with workers."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    specs.add("debian")
    specs.add("ubuntu")
    specs.pytester.makeconftest(CONFTEST)
    specs.pytester.makepyfile(test_plain="import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): ...\n")
    return specs


def run(specs: Specs, *arguments: str) -> pytest.RunResult:
    """Run pytest with two workers; the cloud is named azure so that the controller starts no local one."""
    cloud = ("--vi-cloud=azure", "--vi-subscription=1")
    return specs.pytester.runpytest_subprocess(*PLUGIN, *OTHERS, "-n2", *cloud, *arguments)


def read_log(specs: Specs) -> list[str]:
    """Give what workers noted, without the closing of their clouds."""
    lines = (specs.pytester.path / "log.txt").read_text().splitlines()
    return [line for line in lines if not line.endswith("closed")]


class Interrupted:
    """A run with two workers in a process group of its own, as in a terminal."""

    def __init__(self, specs: Specs) -> None:
        self.folder = specs.pytester.path
        cloud = ("--vi-cloud=azure", "--vi-subscription=1")
        command = [sys.executable, "-m", "pytest", *PLUGIN, *OTHERS, "-n2", *cloud, "specs/debian"]
        with (self.folder / "out.txt").open("wb") as out:
            self.process = subprocess.Popen(command, start_new_session=True, stdout=out, cwd=self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def interrupt_during(self, stage: str) -> None:
        log = self.folder / "log.txt"

        def look(_: Deadline) -> bool | None:
            return (log.exists() and f": {stage}" in log.read_text()) or None

        wait_for(look, Deadline(f"the stage {stage}", 60.0), every=0.1)
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> pytest.LineMatcher:
        assert self.process.wait(60) == pytest.ExitCode.INTERRUPTED
        return pytest.LineMatcher((self.folder / "out.txt").read_text().splitlines())


class TestInterruption:
    def test_lets_workers_clean_up_for_longer_than_xdist_would(
        self, spread: Specs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLOW", "7")
        with Interrupted(spread) as run:
            run.interrupt_during("deploy")
            lines = run.end()
        lines.fnmatch_lines(["waiting for * workers to clean up*", "debian: not published: deploy was interrupted"])
        assert [line.split(": ")[1] for line in read_log(spread)][-2:] == ["deploy", "cleanup"]
        lines.no_fnmatch_line("*LEFT BEHIND*")

    def test_a_second_time_names_what_is_left(self, spread: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLOW", "60")
        with Interrupted(spread) as run:
            run.interrupt_during("deploy")
            run.interrupt_during("cleanup")
            run.end().fnmatch_lines(["debian: LEFT BEHIND by run *", "  /group"])


class TestWorkers:
    @pytest.mark.parametrize("dist", [[], ["--dist=loadfile"], ["--dist=worksteal"]])
    def test_build_a_spec_on_one_of_them(self, spread: Specs, dist: list[str]) -> None:
        result = run(spread, *dist)
        result.assert_outcomes(passed=24)
        done = [line.split(" ", 1) for line in read_log(spread)]
        for spec in ("debian", "ubuntu"):
            mine = [(worker, what) for worker, what in done if what.startswith(spec)]
            assert len({worker for worker, _ in mine}) == 1
            assert [what.split(": ")[1] for _, what in mine] == [
                "preflight",
                "provision",
                "capture",
                "deploy",
                "publish from ss",
                "cleanup",
            ]

    def test_run_the_tests_of_a_group_on_one_of_them(self, spread: Specs) -> None:
        spread.pytester.makepyfile(
            test_plain="import os, pathlib, pytest, time\n@pytest.mark.xdist_group(name='one')\n"
            "@pytest.mark.parametrize('n', range(5))\ndef test_n(n):\n    time.sleep(0.3)\n"
            "    pathlib.Path(f'{n}.txt').write_text(os.environ['PYTEST_XDIST_WORKER'])\n"
        )
        run(spread, "--dist=loadgroup", "specs/debian", "test_plain.py").assert_outcomes(passed=14)
        assert len({file.read_text() for file in spread.pytester.path.glob("?.txt")}) == 1

    def test_tell_the_controller_what_became_of_each_spec(self, spread: Specs) -> None:
        result = run(spread, "specs")
        result.stdout.fnmatch_lines_random(
            ["debian: published /golden/versions/1.0.0*", "ubuntu: published /golden/versions/1.0.0*"]
        )
        assert result.stdout.str().count("debian: ") == 1

    def test_tell_the_controller_what_is_left(self, spread: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LEAK", "1")
        result = run(spread, "specs/debian/test_machine.py")
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["debian: LEFT BEHIND by run *", "  /group/left"])

    def test_keep_to_the_number_of_specs_that_may_have_machines(
        self, spread: Specs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PAUSE", "1.5")
        result = run(spread, "specs", "--vi-jobs=1", "--junit-xml=report.xml", "-o", "junit_family=xunit1")
        result.assert_outcomes(passed=18)
        busy = [line.split(" ", 1)[1] for line in read_log(spread) if line.endswith(("provision", "cleanup"))]
        first, second = busy[0].split(":")[0], busy[-1].split(":")[0]
        assert busy == [f"{name}: {stage}" for name in (first, second) for stage in ("provision", "cleanup")]
        facts = [properties(case) for case in ET.parse(spread.pytester.path / "report.xml").iter("testcase")]  # noqa: S314 - what pytest wrote
        assert len({fact["run_id"] for fact in facts}) == 2
        assert all("critical_path" in fact for fact in facts)

    def test_keep_machines_and_say_how_to_get_in(self, spread: Specs) -> None:
        result = run(spread, "specs", "--vi-keep")
        result.assert_outcomes(passed=6, skipped=12)
        result.stdout.fnmatch_lines_random(["verified-images: azure cloud, subscription 1", "debian: KEPT until *"])
        result.stdout.fnmatch_lines_random(["ubuntu: KEPT until *", "  ssh until *"])

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--vi-reuse", "--vi-reuse: no run has left anything of debian here; *"),
            ("--vi-changed-since=nowhere", "--vi-changed-since=nowhere: *"),
            ("--vi-var=sise=1", "--vi-var sise: no template has this variable*"),
        ],
    )
    def test_refuse_what_makes_no_sense_as_one_process_does(self, spread: Specs, option: str, message: str) -> None:
        result = run(spread, "specs", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stdout.fnmatch_lines([message])
        result.stdout.no_fnmatch_line("*INTERNALERROR*")
        assert read_log(spread) == []

    def test_cannot_each_build_everything(self, spread: Specs) -> None:
        result = run(spread, "--dist=each", "--tx=2*popen")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --dist=each would build every image once a worker*"])

    def test_share_out_other_tests_as_ever(self, spread: Specs) -> None:
        spread.pytester.makepyfile(
            looking="import sys\ndef pytest_unconfigure():\n"
            "    print('imported', 'pytest_plugin.distribution' in sys.modules)\n"
        )
        result = run(spread, "-p", "looking", "test_plain.py", "-v")
        result.assert_outcomes(passed=6)
        result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling", "imported False"])
