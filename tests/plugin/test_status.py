"""What a session shows of its builds while they go on: below pytest's lines on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.doing import Doing
from pytest_plugin.status import PlainLines, choose_status, render
from pytest_plugin.terminal import Terminal
from tests.plugin.conftest import OTHERS, PLUGIN
from tests.plugin.watched import PATIENCE, Watched, command, surroundings

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

CONFTEST = """\
import time
from pathlib import Path

import pytest_plugin.doing
from pytest_plugin.cloud import cloud_key
from tests.plugin.fakes import FakeCloud
from verified_images.waiting import Deadline

pytest_plugin.doing._LOOK_SECONDS = 0.05


def wait():
    deadline = Deadline("a file", 120.0)
    while not Path("go").exists():
        deadline.sleep(0.02)


def pytest_configure(config):
    config.stash[cloud_key] = FakeCloud(wrong={"web: provision": wait, "db: provision": wait})
"""
WORKING = [Doing("web", "provision", 83.0, "provisioner 1 of 2: shell"), Doing("database", "deploy", 5.0, "boot")]


@pytest.fixture
def two(specs: Specs) -> Specs:
    """Two specs that are provisioned until a file named ``go`` is there."""
    specs.add("db")
    specs.add("web")
    specs.pytester.makeconftest(CONFTEST)
    return specs


def go(specs: Specs) -> None:
    (specs.pytester.path / "go").touch()


def both_are_provisioned(run: Watched) -> bool:
    return all(
        re.search(rf"^    {name} +provision +\d:\d\d  ", "\n".join(run.screen), re.MULTILINE) for name in ("db", "web")
    )


class TestRender:
    def test_gives_a_line_a_spec_in_columns(self) -> None:
        assert render(WORKING, 80, has_colour=False) == [
            "    web       provision  1:23  provisioner 1 of 2: shell",
            "    database  deploy     0:05  boot",
        ]

    def test_is_never_wider_than_the_terminal(self) -> None:
        doing = [Doing("web", "provision", 0.0, "a long story " * 20), Doing("x" * 50, "deploy", 0.0, "short")]
        for width in (20, 40, 79):
            assert all(len(line) <= width for line in render(doing, width, has_colour=False))

    def test_counts_those_that_there_is_no_room_for_and_those_that_wait(self) -> None:
        doing = [*(Doing(f"spec{number}", "capture") for number in range(11)), Doing("late"), Doing("later")]
        lines = render(doing, 80, has_colour=False)
        assert len(lines) == 9
        assert lines[-1] == "    3 more at work, 2 waiting until others are done (--vi-jobs)"

    def test_lets_no_output_move_the_cursor(self) -> None:
        (line,) = render([Doing("web", "provision", 0.0, "\x1b[2J50%\r\x1b[31mred\x07[bold]")], 80, has_colour=False)
        assert line.endswith("  50%red[bold]")

    def test_has_colours_only_where_pytest_has(self) -> None:
        assert "\x1b[" in render(WORKING, 80, has_colour=True)[0]
        assert "\x1b" not in render(WORKING, 80, has_colour=False)[0]


def test_plain_lines_come_when_a_stage_begins_and_every_minute() -> None:
    now, told = [0.0], []
    lines = PlainLines(lambda spec, line: told.append(f"{spec}: {line}"), clock=lambda: now[0])
    for second in range(0, 150, 10):
        now[0] = float(second)
        lines.show([Doing("web", "provision" if second < 140 else "capture", float(second), "apt-get")])
    assert told == [
        "web: provision has begun",
        "web: provision goes on for 1 min: apt-get",
        "web: provision goes on for 2 min: apt-get",
        "web: capture has begun",
    ]


@pytest.mark.parametrize("options", [["-q", "--color=no"], ["-v", "-o", "console_output_style=count"], ["-n2"]])
def test_a_terminal_has_a_line_a_spec_which_goes_without_a_trace(two: Specs, options: list[str]) -> None:
    with Watched(two.pytester.path, "specs", *options) as run:
        run.see(both_are_provisioned, "what both specs are doing")
        go(two)
        assert run.end() == pytest.ExitCode.OK
    assert not re.search(r"provision +\d:\d\d", run.told)
    assert "18 passed" in run.told
    assert ("\x1b[36m" in run.raw.decode()) is ("--color=no" not in options)


def test_the_lines_of_pytest_are_those_that_it_writes_to_a_file(two: Specs) -> None:
    go(two)
    arguments = ("specs", "--vi-jobs=1", "-p", "no:cacheprovider")
    with Watched(two.pytester.path, *arguments) as run:
        assert run.end() == pytest.ExitCode.OK
    progress = [line for line in run.told.splitlines() if line.startswith("specs/")]
    assert progress[-1].endswith("[100%]")
    assert sum(line.split()[1].count(".") for line in progress) == 18
    assert all(re.fullmatch(r"specs/\S+ \.+ +\[ *\d+%\]", line) for line in progress)


def test_ctrl_c_takes_it_away_once_everything_is_cleaned_up(two: Specs) -> None:
    with Watched(two.pytester.path, "specs") as run:
        run.see(both_are_provisioned, "what both specs are doing")
        run.interrupt()
        assert run.end() == pytest.ExitCode.INTERRUPTED
    assert not re.search(r"provision +\d:\d\d", run.told)
    assert "db: not published: provision was interrupted" in run.told
    assert run.line == ""


def test_a_debugger_has_the_terminal_for_itself(two: Specs) -> None:
    module = "def test_it(host):\n    breakpoint()\n"
    (two.pytester.path / "specs/db/test_machine.py").write_text(module)
    conftest = CONFTEST.replace('"db: provision": wait', '"db: provision": lambda: None')
    two.pytester.makeconftest(conftest)
    with Watched(two.pytester.path, "specs") as run:
        run.see(lambda run: run.line.startswith("(Pdb) "), "the debugger")
        begun = len(run.raw)
        run.press("1 + 1\n")
        run.see(lambda run: run.screen[-2:] == ["2", "(Pdb)"], "its answer")
        assert b"\x1bD" not in run.raw[begun:]
        go(two)
        run.press("c\n")
        assert run.end() == pytest.ExitCode.OK
    assert "18 passed" in run.told


@pytest.mark.parametrize(
    ("options", "variables", "kind"),
    [
        ([], {}, "LinesBelow"),
        (["-q"], {}, "LinesBelow"),
        (["-qq"], {}, "NoneType"),
        (["-s"], {}, "NoneType"),
        (["--capture=no"], {"CI": "true"}, "PlainLines"),
        ([], {"CI": "true"}, "PlainLines"),
        (["-q"], {"BUILD_NUMBER": "7"}, "NoneType"),
        ([], {"TERM": "dumb"}, "NoneType"),
        (["--setup-only"], {}, "NoneType"),
        (["--co"], {}, "NoneType"),
        (["-p", "no:terminal"], {}, "NoneType"),
    ],
)
def test_how_it_is_shown_depends_on_who_watches(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    kind: str,
) -> None:
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **variables}.items():
        monkeypatch.setenv(name, value)
    config = pytester.parseconfigure(*PLUGIN, *OTHERS, *options)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.isatty = type(reporter.isatty)(value=True)
    assert type(choose_status(config, Terminal(reporter), lambda *_: None)).__name__ == kind


def test_with_s_nothing_is_below_the_lines_of_pytest(two: Specs) -> None:
    go(two)
    with Watched(two.pytester.path, "specs", "-s") as run:
        assert run.end() == pytest.ExitCode.OK
    assert b"\x1bD" not in run.raw


@pytest.mark.parametrize("options", [[], ["-n2"]])
def test_a_log_has_a_line_when_a_stage_begins(two: Specs, options: list[str]) -> None:
    conftest = CONFTEST.replace("while not", "for _ in range(25): deadline.sleep(0.02)\n    while not")
    two.pytester.makeconftest(conftest)
    go(two)
    done = subprocess.run(
        command("specs", *options),
        cwd=two.pytester.path,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    told = re.findall(r"^    \[(\w+)\] (provision .*)$", done.stdout, re.MULTILINE)
    assert sorted(told) == [("db", "provision has begun"), ("web", "provision has begun")]
    assert "\x1b" not in done.stdout
    assert "\n\n\n" not in done.stdout


def test_a_session_without_specs_has_nothing_of_it(specs: Specs) -> None:
    specs.pytester.makepyfile("import sys\ndef test_it():\n    assert 'pytest_plugin.showing' not in sys.modules\n")
    done = subprocess.run(
        command(), cwd=specs.pytester.path, env=surroundings(), capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == pytest.ExitCode.OK, done.stdout
