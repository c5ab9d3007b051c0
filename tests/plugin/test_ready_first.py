"""Several specs: their builds go on at the same time, and whatever is ready runs first."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import MachineError
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Specs

ROOT = Path(__file__).parents[2]
JOBS = "--vi-jobs=9"
PATIENCE = 20.0


def until_called_off() -> None:
    deadline = Deadline("nothing", PATIENCE)
    while True:
        deadline.sleep(1.0)


def meeting(parties: int) -> Callable[[], None]:
    barrier = threading.Barrier(parties, timeout=PATIENCE)

    def meet() -> None:
        barrier.wait()

    return meet


@pytest.mark.parametrize("stage", ["preflight", "provision", "capture", "deploy", "publish from ss", "cleanup"])
def test_a_stage_of_all_specs_is_done_at_once(specs: Specs, stage: str) -> None:
    meet = meeting(3)
    for name in ("one", "two", "three"):
        specs.add(name)
        specs.cloud.wrong[f"{name}: {stage}"] = meet
    specs.run("specs", JOBS).assert_outcomes(passed=27)


def test_what_builds_import_is_imported_before_they_begin(specs: Specs) -> None:
    loaded: list[bool] = []
    for name in ("one", "two"):
        specs.add(name)
        specs.cloud.wrong[f"{name}: preflight"] = lambda: loaded.append(specs.cloud.loaded)
    specs.run("specs", JOBS)
    assert loaded == [True, True]


def test_the_local_cloud_names_all_that_its_builds_import() -> None:
    code = """
import sys
from pathlib import Path
from pytest_plugin.cloud import ConnectedCloud
ConnectedCloud("local", lambda undo, output: None, state=Path("state")).load()
wanted = "verified_images.pipeline verified_images.emulator.local_cloud pytest_plugin.local_targets"
sys.exit(repr(missing) if (missing := set(wanted.split()) - set(sys.modules)) else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def await_file(path: Path) -> Callable[[], None]:
    def wait() -> None:
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < deadline, f"nobody made {path}"
            time.sleep(0.01)

    return wait


def test_what_is_ready_does_not_wait_for_what_is_not(specs: Specs) -> None:
    specs.add("quick", test_machine="import pathlib\ndef test_it(host):\n    pathlib.Path('done').touch()\n")
    specs.add("a_slow")
    specs.cloud.wrong["a_slow: provision"] = await_file(specs.pytester.path / "done")
    specs.run("specs", JOBS).assert_outcomes(passed=18)


def test_tests_outside_specs_run_while_machines_boot(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")
    done = await_file(specs.pytester.path / "done")
    specs.cloud.wrong["one: provision"] = specs.cloud.wrong["two: provision"] = done
    specs.pytester.makepyfile(test_else="import pathlib\ndef test_it(): pathlib.Path('done').touch()")
    specs.run("specs", "test_else.py", JOBS).assert_outcomes(passed=19)


def test_no_more_specs_than_allowed_have_machines(specs: Specs) -> None:
    for name in ("one", "two", "three"):
        specs.add(name)
    specs.run("specs", "--vi-jobs=1").assert_outcomes(passed=27)
    busy = [line for line in specs.cloud.log if line.endswith(("provision", "cleanup"))]
    assert [line.split(": ")[1] for line in busy] == ["provision", "cleanup"] * 3
    assert [line.split(":")[0] for line in busy] == ["one", "one", "three", "three", "two", "two"]


def test_a_stage_that_failed_fails_its_item_and_closes_the_gates_behind_it(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")

    def fail() -> None:
        raise MachineError("it does not boot", machine="vm")

    specs.cloud.wrong["one: provision"] = fail
    result = specs.run("specs", JOBS, "-v")
    result.assert_outcomes(passed=11, failed=1, skipped=6)
    result.stdout.fnmatch_lines_random(
        [
            "specs/one/template.yaml::provision FAILED*",
            "*provision of one failed after 0 s: it does not boot",
            "specs/one/test_machine.py::test_nginx_is_enabled?one? SKIPPED*",
            "specs/one/template.yaml::cleanup PASSED*",
            "two: published *",
        ]
    )


def test_an_item_reports_how_long_its_stage_took(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")
    specs.cloud.wrong["one: provision"] = specs.cloud.wrong["two: provision"] = lambda: time.sleep(0.3)
    result = specs.run("specs", JOBS, "--durations=2", "-vv")
    result.stdout.re_match_lines([r"0\.3\ds call     specs/(one|two)/template.yaml::provision"] * 2)


def test_ctrl_c_calls_off_what_is_being_done_and_cleans_it_up(specs: Specs) -> None:
    specs.add("one", test_machine="def test_it(host):\n    raise KeyboardInterrupt\n")
    specs.add("two")
    specs.cloud.wrong["two: provision"] = until_called_off
    began = time.monotonic()
    result = specs.run("specs", JOBS, "-v")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert {"one: cleanup", "two: disconnect", "two: cleanup"} <= set(specs.cloud.log)
    assert specs.cloud.log.index("two: disconnect") < specs.cloud.log.index("two: cleanup")
    assert time.monotonic() - began < PATIENCE
    result.stdout.fnmatch_lines(["*calling off provision, which was being done for * s"])
    result.stdout.fnmatch_lines(["two: not published: provision was interrupted: called off, since the session ends"])


def test_the_first_failure_ends_everything_if_asked_for(specs: Specs) -> None:
    specs.add("one", test_machine="def test_it(host):\n    assert False\n")
    specs.add("two")
    specs.cloud.wrong["two: provision"] = until_called_off
    result = specs.run("specs", JOBS, "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {"one: cleanup", "two: cleanup"} <= set(specs.cloud.log)


def test_fixtures_of_a_module_are_set_up_once_and_torn_down_before_another_spec(specs: Specs) -> None:
    module = """
import pytest

@pytest.fixture(scope="module")
def place(host):
    print("BEGIN", __file__)
    yield
    print("END", __file__)

def test_a(place): ...
def test_b(place): ...
"""
    for name in ("one", "two"):
        specs.add(name, test_machine=module)
    result = specs.run("specs", JOBS, "-s")
    result.assert_outcomes(passed=20)
    told = re.findall(r"(BEGIN|END) \S+/(one|two)/", result.stdout.str())
    first, second = told[0][1], told[-1][1]
    assert told == [("BEGIN", first), ("END", first), ("BEGIN", second), ("END", second)]
    assert first != second


def test_output_is_shown_live_and_between_items(specs: Specs) -> None:
    specs.add("one")
    specs.add("two")
    result = specs.run("specs", JOBS, "-v")
    result.assert_outcomes(passed=18)
    for name in ("one", "two"):
        result.stdout.fnmatch_lines([f"*[[]{name}] | apt-get says hello*"])


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only", "--collect-only"])
def test_nothing_is_built_where_nothing_is_to_run(specs: Specs, option: str) -> None:
    specs.add("one")
    specs.add("two")
    specs.run("specs", JOBS, option, "-k", "preflight or provision")
    assert [line for line in specs.cloud.log if line != "closed"] == []


def test_a_number_of_jobs_that_is_none_is_refused(specs: Specs) -> None:
    specs.add()
    result = specs.run("specs", "--vi-jobs=many")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --vi-jobs many: must be a number from 1"])


def test_ctrl_c_lets_a_clean_up_that_has_begun_come_to_its_end(specs: Specs) -> None:
    specs.add("one", test_machine="import time\ndef test_it(host):\n    time.sleep(0.2)\n    raise KeyboardInterrupt\n")
    specs.add("two", test_machine="", test_scale_set="")
    specs.cloud.wrong["two: cleanup"] = lambda: time.sleep(0.6)
    result = specs.run("specs", JOBS, "--deselect", "specs/two/template.yaml::publish")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert specs.cloud.log.count("two: cleanup") == 1
    result.stdout.no_fnmatch_line("*calling off*")
    result.stdout.no_fnmatch_line("*LEFT BEHIND*")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_twice_at_once_is_one(specs: Specs, number: int) -> None:
    twice = f"import os\nos.kill(os.getpid(), {number:d})\nos.kill(os.getpid(), {number:d})\n"
    specs.add("one", test_machine=f"def test_it(host):\n    exec({twice!r})\n")
    result = specs.run("specs")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "one: cleanup" in specs.cloud.log
    result.stdout.no_fnmatch_line("*LEFT BEHIND*")
