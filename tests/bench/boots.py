"""From the call that makes a machine to its SSH server: the build VM, and two instances at once, as real guests."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measurement import Measurement
from tests.emulator.qemu.guests import CACHE
from tests.local_azure import GALLERY, Told, make_targets, make_template, opened_build
from verified_images.cloud.connection import connect_local
from verified_images.emulator import LocalCloud, Options
from verified_images.reports.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT_SECONDS, INSTANCES_SECONDS, IMAGE_MIB = 90, 180, 600
"""Without KVM, on two cores."""


def measure() -> Iterator[Measurement]:
    """Measures the stages of a build without provisioners."""
    with tempfile.TemporaryDirectory() as name, LocalCloud(Path(name, "azure"), Options(cache=CACHE)) as cloud:
        connection = connect_local(**cloud.access)
        make_targets(connection)
        smoke = {"instances": 2}
        template = make_template(Path(name), provisioners=(), image={"gallery": GALLERY}, smoke=smoke)
        base = cloud.cloud.hypervisor.marketplace_disk("Debian:debian-12:12-gen2", "V2")
        yield Measurement("the base image", base.stat().st_size / 2**20, IMAGE_MIB, "MiB")
        with opened_build(connection, template, Path(name), told=Told()) as build:
            plan = build.preflight()
            began = time.perf_counter()
            provisioned = build.provision(plan)
            yield Measurement("boot of the build VM to SSH", time.perf_counter() - began, BOOT_SECONDS, "s")
            captured = build.capture(provisioned, Verdict(passed=True, tests=1))
            began = time.perf_counter()
            build.deploy(captured)
            yield Measurement("boot of two instances to SSH", time.perf_counter() - began, INSTANCES_SECONDS, "s")
        connection.close()
