"""How fast the local Azure answers, with the hypervisor that boots nothing: reads, and making and deleting."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measurement import Measurement
from tests.emulator.clients import Clients
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator

READS = 1000
CALLERS = 8
CYCLES = 40
READ_MILLISECONDS, CYCLE_MILLISECONDS = 10, 100


def measure() -> Iterator[Measurement]:
    """Measures through the Azure SDK, whose own work is part of what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(hypervisor="fake", cache=Path(folder, "cache"))
        with LocalCloud(Path(folder, "state"), options) as cloud:
            clients = Clients(cloud)
            clients.resources.resource_groups.create_or_update("bench", {"location": "westeurope"})
            one = measure_reads(clients, callers=1)
            many = measure_reads(clients, callers=CALLERS)
            cycle = measure_cycles(clients)
            clients.close()
    yield Measurement(f"a GET, one caller ({1000 / one:.0f}/s)", one, READ_MILLISECONDS, "ms")
    yield Measurement(f"a GET, {CALLERS} callers at once ({1000 / many:.0f}/s)", many, READ_MILLISECONDS, "ms")
    yield Measurement(f"create, list, delete of a disk ({1000 / cycle:.0f}/s)", cycle, CYCLE_MILLISECONDS, "ms")


def measure_reads(clients: Clients, *, callers: int) -> float:
    """Returns milliseconds a GET."""
    get = clients.resources.resource_groups.get
    get("bench")
    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        for _ in pool.map(lambda _: get("bench"), range(READS)):
            pass
    return (time.perf_counter() - began) * 1000 / READS


def measure_cycles(clients: Clients) -> float:
    """Returns milliseconds a cycle."""
    disks = clients.compute.disks
    body: Any = {
        "location": "westeurope",
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1},
    }
    began = time.perf_counter()
    for number in range(CYCLES):
        disks.begin_create_or_update("bench", f"disk{number}", body).result()
        if not any(disk["name"] == f"disk{number}" for disk in disks.list_by_resource_group("bench")):
            raise RuntimeError(f"The disk{number} is not listed.")
        disks.begin_delete("bench", f"disk{number}").result()
    return (time.perf_counter() - began) * 1000 / CYCLES
