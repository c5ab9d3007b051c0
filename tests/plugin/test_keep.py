"""Machines that are kept, tested again and gone on from: the local cloud, with machines that answer in milliseconds."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.plugin.test_whole_path import KEPT as TARGETS
from tests.plugin.test_whole_path import VERSION, Example
from verified_images.cli import main
from verified_images.emulator.local_cloud import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILING = "def test_more(host):\n    assert host.file('/nowhere').exists\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def example(pytester: pytest.Pytester, cache: Path) -> Example:
    return Example(pytester, cache)


def journals(example: Example) -> list[Path]:
    return list(example.pytester.path.glob(".local/state/verified-images/runs/*.jsonl"))


@contextmanager
def served(example: Example) -> Iterator[None]:
    """As ``verified-images local serve`` serves it."""
    with LocalCloud(example.state, Options(hypervisor="fake", cache=example.cache, announced=True)):
        yield


def reap(example: Example, run: str) -> None:
    assert main(["reap", "--run", run, "--state", str(example.state), "--hypervisor", "fake"]) == 0


def test_a_kept_machine_is_entered_tested_again_and_reaped(example: Example) -> None:
    with served(example):
        result = example.run("--vi-keep", "specs")
        result.assert_outcomes(passed=7, skipped=14)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(["debian-nginx: not published: --vi-keep keeps the machine, *"])
        (journal,) = journals(example)
        run = journal.stem
        result.stdout.fnmatch_lines(
            [f"debian-nginx: KEPT until * UTC by run {run}; `verified-images reap --run {run} *` removes it"]
        )
        command = re.search(r"^  (ssh .*)$", result.stdout.str(), re.MULTILINE)
        assert command is not None
        entered = subprocess.run(  # noqa: S602 - what a person would paste
            f"{command[1]} hostname", shell=True, check=False, capture_output=True, text=True, timeout=60
        )
        assert (entered.returncode, entered.stdout.strip()) == (0, f"vi-{journal.stem}-vm"), entered.stderr
        again = example.run("--vi-reuse", "specs", "-v")
        again.assert_outcomes(passed=6, skipped=15)
        again.stdout.no_fnmatch_line("*create virtual machine*")
        again.stdout.no_fnmatch_line("*--vi-reuse tests it again*")
        assert journals(example) == [journal]
        reap(example, journal.stem)
        assert not list(journal.parent.glob(f"{journal.stem}*"))
    assert sorted(example.there_is().values()) == TARGETS


def test_a_machine_of_a_session_of_its_own_is_booted_again(example: Example) -> None:
    result = example.run("--vi-keep=1h", "specs")
    result.stdout.fnmatch_lines(["  it is off, since the local Azure ends with this session: --vi-reuse boots it*"])
    example.run("--vi-reuse", "specs").assert_outcomes(passed=6, skipped=15)
    (journal,) = journals(example)
    reap(example, journal.stem)
    assert sorted(example.there_is().values()) == TARGETS


def test_nothing_is_published_unasked_of_a_machine_that_began_with_a_layer(example: Example) -> None:
    example.run("--vi-stop-after=provision", "specs")
    with served(example):
        example.run("--vi-keep", "specs")
        refused = example.run("--vi-from=capture", "specs")
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines(["ERROR: --vi-from=capture: the machine of run * began with a layer *"])
        asked = example.run("--vi-from=capture", "--vi-layers", "specs")
        asked.stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.0 in westeurope*"])


def test_a_failed_machine_is_mended_by_hand_and_captured(example: Example) -> None:
    more = example.folder / "test_more.py"
    more.write_text(FAILING)
    failed = example.run("--vi-keep-on-failure", "specs")
    failed.assert_outcomes(passed=7, failed=1, skipped=14)
    failed.stdout.fnmatch_lines(["debian-nginx: KEPT until *"])
    more.write_text(FAILING.replace("/nowhere", "/etc/passwd"))
    result = example.run("--vi-from=capture", "specs")
    result.stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.0 in westeurope*"])
    assert sorted(example.there_is().values()) == sorted([*TARGETS, VERSION])


def test_a_run_that_failed_late_is_gone_on_with(example: Example) -> None:
    more = example.folder / "test_more.py"
    more.write_text("def test_more(scale_set):\n    assert not scale_set\n")
    example.run("--vi-keep-on-failure=30m", "specs").assert_outcomes(passed=19, failed=1, skipped=2)
    more.write_text("def test_more(scale_set):\n    assert scale_set\n")
    result = example.run("--vi-from=deploy", "specs", "-rs")
    result.stdout.fnmatch_lines(["*provision not done: run * has done it*"])
    result.stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.0 in westeurope*"])
    assert sorted(example.there_is().values()) == sorted([*TARGETS, VERSION])


def test_what_was_tested_to_the_end_is_published_later(example: Example) -> None:
    kept = example.run("--vi-keep", "--vi-stop-after=deploy", "specs")
    kept.assert_outcomes(passed=19, skipped=2)
    kept.stdout.fnmatch_lines(["debian-nginx: not published: --vi-stop-after=deploy was given"])
    offered = "run * of debian-nginx is kept until * UTC: --vi-from=deploy goes on with it"
    example.run("--vi-stop-after=preflight", "specs").stdout.fnmatch_lines([offered])
    result = example.run("--vi-from=publish", "specs", "-rs")
    result.stdout.no_fnmatch_line(offered)
    result.assert_outcomes(passed=2, skipped=19)
    result.stdout.fnmatch_lines(["*deploy not done: run * has done it"])
    result.stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.0 in westeurope*"])
    assert sorted(example.there_is().values()) == sorted([*TARGETS, VERSION])


def test_tests_that_changed_since_the_capture_count_no_more(example: Example) -> None:
    more = example.folder / "test_more.py"
    more.write_text("def test_more(scale_set):\n    assert not scale_set\n")
    example.run("--vi-keep-on-failure", "specs")
    more.unlink()
    machine = example.folder / "test_machine.py"
    machine.write_text(machine.read_text() + "\n")
    result = example.run("--vi-from=deploy", "specs")
    result.stdout.fnmatch_lines(
        ["debian-nginx: not published: 5 tests were skipped: specs/debian-nginx/test_machine.py::*"]
    )
    assert sorted(example.there_is().values()) == TARGETS


def test_another_template_is_not_gone_on_with(example: Example) -> None:
    (example.folder / "test_more.py").write_text(FAILING)
    example.run("--vi-keep-on-failure", "specs")
    script = example.folder / "scripts" / "install-nginx.sh"
    script.write_text(script.read_text() + "\n")
    result = example.run("--vi-from=capture", "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --vi-from=capture: the template of debian-nginx, or a file *has changed*"])
    (journal,) = journals(example)
    reap(example, journal.stem)


def test_a_run_that_passed_is_not_kept_on_failure(example: Example) -> None:
    example.run("--vi-keep-on-failure", "specs").stdout.no_fnmatch_line("*KEPT*")
    assert journals(example) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vi-reuse"], "--vi-reuse: no run has left anything of debian-nginx here; --vi-keep *"),
        (["--vi-from=deploy"], "--vi-from=deploy: no run has left anything of debian-nginx here; *"),
        (["--vi-from=provision"], "--vi-from=provision: must be one of capture, deploy, publish"),
        (["--vi-stop-after=never"], "--vi-stop-after=never: must be one of preflight, provision, *"),
        (["--vi-reuse", "--vi-from=deploy"], "--vi-reuse tests the kept machine and no more: *"),
        (["--vi-from=deploy", "--vi-stop-after=provision"], "--vi-stop-after=provision comes before --vi-from=deploy"),
        (["--vi-keep=soon"], "--vi-keep=soon: *"),
    ],
)
def test_what_cannot_be_is_refused(example: Example, arguments: list[str], message: str) -> None:
    result = example.run(*arguments, "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert not example.state.exists()


def test_a_stage_to_stop_after_ends_what_follows(example: Example) -> None:
    result = example.run("--vi-stop-after=capture", "specs", "-rs")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=9, skipped=12)
    result.stdout.fnmatch_lines(["*deploy not done: --vi-stop-after=capture was given*"])
    assert sorted(example.there_is().values()) == TARGETS
