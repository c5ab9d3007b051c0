from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.qemu import accelerator
from verified_images.emulator.qemu.accelerator import KVM, TCG, Accelerator, choose_accelerator, runs_guests
from verified_images.emulator.qemu.probe_sector import build_probe_sector

if TYPE_CHECKING:
    from pathlib import Path


def test_the_probe_runs_through_where_guests_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_SECONDS_TO_BOOT", 120.0)
    assert runs_guests(TCG)


def test_the_probe_fails_where_qemu_has_no_such_processor() -> None:
    assert not runs_guests(Accelerator("tcg", "no-such-processor"))


def test_a_probe_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_SECONDS_TO_BOOT", 0.3)
    monkeypatch.setattr(accelerator, "build_probe_sector", lambda: b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa")
    assert not runs_guests(TCG)


def test_the_sector_is_bootable() -> None:
    sector = build_probe_sector()
    assert len(sector) == 512
    assert sector.endswith(b"\x55\xaa")


@pytest.mark.parametrize("works", [True, False])
def test_the_answer_is_remembered_until_the_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    asked: list[Accelerator] = []

    def probe(which: Accelerator) -> bool:
        asked.append(which)
        return works

    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(accelerator, "runs_guests", probe)
    expected = KVM if works else TCG
    assert [choose_accelerator(tmp_path), choose_accelerator(tmp_path)] == [expected, expected]
    assert asked == [KVM]
    memory = tmp_path / "kvm-probe.json"
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"boot_id": "another boot"}))
    choose_accelerator(tmp_path)
    assert asked == [KVM, KVM]


def test_a_machine_without_kvm_is_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    assert choose_accelerator(tmp_path) == TCG
