from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import ProvisionerError

if TYPE_CHECKING:
    from tests.provisioners.machine import Bench


def test_commands_run_in_the_templates_folder_as_one_script(bench: Bench) -> None:
    local(bench, inline=["X=1", 'echo "$X $(pwd) $SECRET"; cat'], env={"SECRET": "hunter2"})
    assert bench.output == f"1 {bench.folder} ***\n"
    with pytest.raises(ProvisionerError, match="exit code 3 of 'inline'"):
        local(bench, inline=["exit 3", "echo not reached"])
    assert "not reached" not in bench.output


def test_a_script_that_can_be_run_runs_itself_and_any_other_in_a_shell(bench: Bench) -> None:
    own = bench.folder / "own.py"
    own.write_text("#!/usr/bin/env python3\nprint('python')\n")
    own.chmod(0o755)
    (bench.folder / "plain.sh").write_text("echo plain\n")
    local(bench, scripts=["own.py", "plain.sh"])
    assert bench.output == "python\nplain\n"


def test_a_program_of_ones_own_runs_the_script(bench: Bench) -> None:
    local(bench, inline=["print('own')"], execute_command=["/usr/bin/env", "python3", "{path}"])
    assert bench.output == "own\n"


def test_exit_codes_can_be_declared_valid(bench: Bench) -> None:
    local(bench, inline="exit 3", valid_exit_codes=[3])


def test_a_failure_names_its_place_and_shows_the_last_lines(bench: Bench) -> None:
    with pytest.raises(ProvisionerError) as caught:
        local(bench, inline=["echo hunter2; echo to stderr >&2; exit 5"])
    where = f"provisioner 1 (shell-local) at {bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 5 of 'inline'", str(caught.value))
    assert (caught.value.exit_code, caught.value.tail) == (5, "***\nto stderr")


def test_its_time_can_be_up(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match="its time of 0 s was up"):
        local(bench, inline=[f"echo $$ > {bench.folder}/pid; sleep 60 & wait"], timeout="300ms")
    assert not Path("/proc", (bench.folder / "pid").read_text().strip()).exists()


def test_what_goes_on_in_the_background_is_not_waited_for(bench: Bench) -> None:
    started = time.monotonic()
    local(bench, inline=["sleep 60 & echo $! > pid; echo done"])
    assert time.monotonic() - started < 40
    assert bench.output == "done\n"
    os.kill(int((bench.folder / "pid").read_text()), signal.SIGKILL)


def test_a_program_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match="'/no/such' cannot be run here: No such file"):
        local(bench, inline="true", execute_command=["/no/such", "{path}"])


def test_no_secret_stands_on_a_command_line(bench: Bench) -> None:
    local(bench, inline="tr '\\0' '\\n' < /proc/$$/cmdline | grep -c hunter2 || : hunter2", env={"S": "hunter2"})
    assert bench.output == "0\n"


def local(bench: Bench, **keys: object) -> None:
    bench.provision({"shell-local": keys})
