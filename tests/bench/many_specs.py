"""Many specs in one session, with Azure's typical durations scaled down: the session is to last as long as one does."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measurement import Measurement
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.timing import load_timing

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = (1, 5, 20, 50)
SCALE = 0.3
"""Not shorter, or 50 specs are measured by what two cores need for as many pytest items, guests and HTTP requests."""
BUDGET = 1.2
MEMORY_MIB = 1024

TEMPLATE = """\
builder:
  source: {{publisher: Debian, offer: debian-12, sku: 12-gen2}}
  vm_size: Standard_B1s
  location: westeurope
provisioners:
  - shell: {{inline: ["echo hello"]}}
image:
  managed: {{resource_group: images, name: "{name}"}}
smoke: {{instances: 1}}
"""
TESTS = "def test_it(host):\n    assert host.file('/etc/passwd').exists\n"
MACHINE = "test_machine.py"


def measure() -> Iterator[Measurement]:
    """Measures pytest runs in processes of their own, on a local Azure in another."""
    alone = 0.0
    for count in COUNTS:
        wall, memory = run_specs(count)
        alone = alone or wall
        yield Measurement(f"{count} specs at once ({wall:.0f} s), beside one", wall / alone, BUDGET, "times as long")
        yield Measurement(f"{count} specs at once, memory of pytest", memory, MEMORY_MIB, "MiB")


def run_specs(count: int) -> tuple[float, float]:
    """Returns the seconds that a session with so many specs takes, and the memory of its process in MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(count):
            spec = folder / "specs" / f"spec{number}"
            spec.mkdir(parents=True)
            (spec / "template.yaml").write_text(TEMPLATE.format(name=f"image{number}"))
            (spec / MACHINE).write_text(TESTS)
        (folder / "pytest.ini").write_text("[pytest]\n")
        options = Options(
            hypervisor="fake", cache=folder / "cache", announced=True, timing=load_timing("typical", SCALE)
        )
        with LocalCloud(folder / "azure", options):
            return run_pytest(folder)


def run_pytest(folder: Path) -> tuple[float, float]:
    """Runs the session, which has to pass; returns its seconds and MiB."""
    command = [sys.executable, "-m", "pytest", "specs", "-q", f"--vi-state={folder / 'azure'}", "--vi-jobs=100"]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "journals")}
    began = time.perf_counter()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError((folder / "output").read_text()[-4000:])
    return time.perf_counter() - began, usage.ru_maxrss / 1024
