"""Whether guests run under KVM here, found out by running one.

That ``/dev/kvm`` opens proves little: under some nested hypervisors guests hang, or QEMU gives up.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from verified_images.emulator.qemu.probe_sector import EXIT_CODE, build_probe_sector

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SECONDS_TO_BOOT = 3.0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """How a guest's processor is provided: QEMU's ``-accel`` and ``-cpu``."""

    accel: str
    cpu: str


KVM = Accelerator("kvm", "host")
# Without these features guests take paths that are quicker where the processor is software.
TCG = Accelerator(
    "tcg,thread=multi,tb-size=256", "max,erms=off,fsrm=off,la57=off,svm=off,smap=off,smep=off,umip=off,pku=off"
)


def choose_accelerator(cache: Path) -> Accelerator:
    """Give KVM where a guest really runs under it, else software emulation; asked once per boot of this machine."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG
    memory = cache / "kvm-probe.json"
    boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    works = _recall(memory, boot_id)
    if works is None:
        works = runs_guests(KVM)
        _remember(memory, boot_id, works=works)
    return KVM if works else TCG


def runs_guests(accelerator: Accelerator) -> bool:
    """Tell whether a tiny guest gets through long mode and a few megabytes of its memory, within seconds."""
    with tempfile.NamedTemporaryFile(prefix="vi-probe-", suffix=".img") as disk:
        disk.write(build_probe_sector())
        disk.flush()
        try:
            done = subprocess.run(
                _probe_command(accelerator, disk.name),
                timeout=_SECONDS_TO_BOOT,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        except (subprocess.TimeoutExpired, FileNotFoundError):
            return False
    return done.returncode == EXIT_CODE


def _probe_command(accelerator: Accelerator, disk: str) -> list[str]:
    return [
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-machine",
        "pc",
        "-accel",
        accelerator.accel,
        "-cpu",
        accelerator.cpu,
        "-m",
        "32",
        "-drive",
        f"file={disk},if=ide,format=raw,snapshot=on",
        "-device",
        "isa-debug-exit,iobase=0xf4,iosize=0x04",
    ]


def _recall(memory: Path, boot_id: str) -> bool | None:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return bool(known["works"]) if known.get("boot_id") == boot_id else None


def _remember(memory: Path, boot_id: str, *, works: bool) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = memory.with_name(f".{memory.name}.{os.getpid()}")
    unfinished.write_text(json.dumps({"boot_id": boot_id, "works": works}), encoding="utf-8")
    unfinished.replace(memory)
