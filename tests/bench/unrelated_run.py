"""What the plugin costs a pytest run that builds no image; every run of its environment loads it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import pytest

from tests.bench.measurement import Measurement

BUDGET_MILLISECONDS = 20
PAIRS = 25
WITHOUT, WITH = "pytest_plugin", "pytest_plugin.plugin"  # the package alone is empty


def measure() -> Measurement:
    """Measures in an interpreter of its own, which has imported nothing that the plugin might need."""
    command = [sys.executable, "-m", __name__]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": ""}
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
    return Measurement("the plugin in an unrelated pytest run", float(printed), BUDGET_MILLISECONDS, "ms")


def compare() -> float:
    """Runs one empty test with and without the plugin, in turns; returns the difference in milliseconds.

    Starting Python and importing pytest takes far more than 20 ms, and varies by more. So that is done once, and
    each run is a copy of this process.
    """
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder, "test_nothing.py")
        test.write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        for plugin in (WITH, WITHOUT):
            run_pytest(plugin, test)  # writes the bytecode that the runs below find
        pairs = [(run_pytest(WITH, test), run_pytest(WITHOUT, test)) for _ in range(PAIRS)]
    return median(with_it for with_it, _ in pairs) - median(without_it for _, without_it in pairs)


def run_pytest(plugin: str, test: Path) -> float:
    """Runs pytest in a copy of this process; returns the processor time that it took, in milliseconds."""
    copy = os.fork()
    if copy == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        outcome = pytest.main(["-p", plugin, "-p", "no:cacheprovider", f"--rootdir={test.parent}", str(test)])
        os._exit(outcome)
    _, status, usage = os.wait4(copy, 0)
    if status != 0:
        raise RuntimeError(f"The empty test fails with -p {plugin}: exit code {os.waitstatus_to_exitcode(status)}.")
    return (usage.ru_utime + usage.ru_stime) * 1000


if __name__ == "__main__":
    sys.stdout.write(f"{compare()}\n")
