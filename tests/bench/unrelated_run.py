"""What the plugin costs a pytest run that builds no image; every run of its environment loads it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from tests.bench.measurement import Measurement

BUDGET_MILLISECONDS = 20
PAIRS = 15


def measure() -> Measurement:
    """Runs one empty test with and without the plugin, in turns, and compares the medians."""
    if not entry_points(group="pytest11", name="verified_images"):
        raise LookupError("The plugin is not installed in this environment: run pip install -e . and try again.")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        run_pytest(folder)  # writes the bytecode that later runs find
        with_plugin, without_plugin = [], []
        for _ in range(PAIRS):
            with_plugin.append(run_pytest(folder))
            without_plugin.append(run_pytest(folder, "-p", "no:verified_images"))
    cost = median(with_plugin) - median(without_plugin)
    return Measurement("the plugin in an unrelated pytest run", cost, BUDGET_MILLISECONDS, "ms")


def run_pytest(folder: str, *options: str) -> float:
    """Runs pytest in the folder and returns the processor time that it took, in milliseconds.

    Time by the clock would also hold what else the machine does, which is far more than 20 ms.
    """
    before = getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
