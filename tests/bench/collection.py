"""Collecting 500 specs, beyond what pytest itself takes for as many folders of tests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.many_specs import MACHINE, TEMPLATE, TESTS
from tests.bench.measurement import Measurement

SPECS = 500
BUDGET_SECONDS = 2


def measure() -> Measurement:
    """Measures the difference that the plugin makes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(SPECS):
            spec = folder / "specs" / f"spec{number}"
            spec.mkdir(parents=True)
            (spec / "template.yaml").write_text(TEMPLATE.format(name=f"image{number}"))
            (spec / MACHINE).write_text(TESTS)
        (folder / "pytest.ini").write_text("[pytest]\n")
        collect(folder)
        ours = min(collect(folder) for _ in range(3))
        without = min(collect(folder, "-p", "no:verified_images", "--import-mode=importlib") for _ in range(3))
    return Measurement(f"collection of {SPECS} specs ({ours:.1f} s in all)", ours - without, BUDGET_SECONDS, "s")


def collect(folder: Path, *options: str) -> float:
    """Returns the seconds that a collection takes."""
    command = [sys.executable, "-m", "pytest", "specs", "--collect-only", "-q", *options]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
