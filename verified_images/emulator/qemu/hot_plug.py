"""Data disks that come to a running guest and leave it. Source: QEMU documentation, "QMP Reference Manual"."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.command_line import block_node, data_disk_device

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.qemu.monitor import Monitor

_SECONDS_TO_LET_GO = 20.0
_SECONDS_BETWEEN_LOOKS = 0.1


def plug(monitor: Monitor, disk: Path, lun: int) -> None:
    """Show a disk to the guest at a LUN.

    Raises:
        HypervisorError: the LUN is taken, or the disk could not be opened; nothing is left of it.
    """
    monitor.execute("blockdev-add", **block_node(f"lun{lun}", "qcow2", disk))
    try:
        monitor.execute("device_add", **data_disk_device(lun))
    except HypervisorError:
        monitor.execute("blockdev-del", **{"node-name": f"lun{lun}"})
        raise


def unplug(monitor: Monitor, disk: Path, lun: int) -> None:
    """Take the disk at a LUN from the guest and close its file.

    Raises:
        HypervisorError: the guest did not let go of it.
    """
    monitor.execute("device_del", id=f"lun{lun}")
    deadline = time.monotonic() + _SECONDS_TO_LET_GO
    while f"lun{lun}" in _devices(monitor):
        if time.monotonic() > deadline:
            raise HypervisorError(f"the guest did not let go of the disk {disk.name} at LUN {lun}")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    monitor.execute("blockdev-del", **{"node-name": f"lun{lun}"})


def _devices(monitor: Monitor) -> set[str]:
    return {device.get("qdev", "") for device in monitor.execute("query-block")}
