"""Runs of what has changed: real git, and the local cloud with machines that answer in milliseconds."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.plugin.test_whole_path import EXAMPLE, Example

if TYPE_CHECKING:
    from pathlib import Path

SINCE = "--vi-changed-since=main"
PUBLISHED = "debian-nginx: published *, version 1.0.1 in westeurope*"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def example(pytester: pytest.Pytester, cache: Path) -> Example:
    """The example in a repository with a branch of one's own; nothing is changed yet."""
    example = Example(pytester, cache)
    shutil.rmtree(example.folder / "__pycache__", ignore_errors=True)
    (pytester.path / ".gitignore").write_text("state\n.local\nreport.xml\n__pycache__\n.pytest_cache\n")
    for words in (["init"], ["add", "."], ["commit", "-m", "all"], ["checkout", "-b", "mine"]):
        git(pytester.path, *words)
    return example


def test_what_has_not_changed_is_not_built(example: Example) -> None:
    result = example.run(SINCE, "specs")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(deselected=21)
    result.stdout.fnmatch_lines(["debian-nginx: unchanged: since main"])
    assert not example.state.exists()


def test_workers_find_out_as_one_process_does(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE.parents[1]))
    result = example.pytester.runpytest_subprocess(*example.arguments("-n2", "specs", SINCE))
    assert result.ret == pytest.ExitCode.OK
    assert result.stdout.str().count("debian-nginx: unchanged: since main") == 1


@pytest.mark.parametrize("file", ["specs/conftest.py", "specs/debian-nginx/files/new.html"])
def test_a_new_file_that_a_spec_depends_on_changes_it(example: Example, file: str) -> None:
    (example.pytester.path / file).touch()
    example.run(SINCE, "--vi-stop-after=preflight", "specs").assert_outcomes(passed=2, skipped=19)


def test_what_somebody_else_has_changed_is_no_change(example: Example) -> None:
    folder = example.pytester.path
    git(folder, "checkout", "main")
    (example.folder / "test_more.py").write_text("def test_more(): ...\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "more")
    git(folder, "checkout", "mine")
    example.run(SINCE, "specs").assert_outcomes(deselected=21)


def test_a_file_outside_of_the_folder_changes_who_uses_it(example: Example) -> None:
    folder = example.pytester.path
    (folder / "shared").mkdir()
    (folder / "shared" / "setup.sh").write_text("true\n")
    template = example.folder / "template.yaml"
    template.write_text(
        template.read_text().replace("provisioners:\n", "provisioners:\n  - shell: {script: ../../shared/setup.sh}\n")
    )
    git(folder, "add", ".")
    git(folder, "commit", "-m", "shared")
    git(folder, "branch", "-f", "main")
    example.run(SINCE, "specs").assert_outcomes(deselected=21)
    (folder / "shared" / "setup.sh").write_text("false\n")
    example.run(SINCE, "--vi-stop-after=preflight", "specs").assert_outcomes(passed=2, skipped=19)


def test_the_same_inputs_are_not_published_twice(example: Example) -> None:
    (example.folder / "test_more.py").write_text("def test_more(host):\n    assert host.run('true').rc == 0\n")
    example.run("specs").stdout.fnmatch_lines(["debian-nginx: published *, version 1.0.0 in westeurope*"])
    result = example.run(SINCE, "specs")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["debian-nginx: unchanged: published /subscriptions/*/versions/1.0.0"])
    example.run(SINCE, "--vi-rebuild", "specs").stdout.fnmatch_lines([PUBLISHED])


def test_other_tests_are_other_inputs(example: Example) -> None:
    more = example.folder / "test_more.py"
    more.write_text("def test_more(host):\n    assert host.run('true').rc == 0\n")
    example.run("specs")
    more.write_text("def test_more(host):\n    assert host.run('exit 0').rc == 0\n")
    example.run(SINCE, "specs").stdout.fnmatch_lines([PUBLISHED])


def test_a_commit_that_is_not_there_is_refused(example: Example) -> None:
    result = example.run("--vi-changed-since=nowhere", "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --vi-changed-since=nowhere: *nowhere*"])
