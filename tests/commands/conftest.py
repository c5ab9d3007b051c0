"""Running the ``verified-images`` command in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from verified_images.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; gives its exit code and what it wrote to standard output and standard error."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return code, written.out, written.err

    return run_command
