from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from verified_images.emulator.base_image import builder, marketplace, recipe, tools
from verified_images.emulator.base_image.builder import debian_disk
from verified_images.emulator.base_image.disk import erase_partition_table, write_bios_loader
from verified_images.emulator.base_image.marketplace import marketplace_disk
from verified_images.emulator.base_image.tools import Workbench, require_tools
from verified_images.emulator.hypervisor import HypervisorError


def test_a_disk_in_the_cache_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_build", lambda *_: pytest.fail("it was built"))
    cached = tmp_path / "base-images" / f"{recipe.NAME}-{recipe.cache_key()}.qcow2"
    cached.parent.mkdir()
    cached.touch()
    assert debian_disk(tmp_path, print) == cached


def test_those_who_come_together_build_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[Path] = []

    def build(finished: Path, *_: object) -> None:
        builds.append(finished)
        finished.touch()

    monkeypatch.setattr(builder, "_build", build)
    monkeypatch.setattr(builder, "_SECONDS_BETWEEN_TRIES", 0.01)
    threads = [threading.Thread(target=debian_disk, args=(tmp_path, lambda _: None)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1


def test_who_waits_for_another_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(builder, "_SECONDS_BETWEEN_TRIES", 0.01)
    monkeypatch.setattr(builder, "_build", lambda finished, *_: finished.touch())
    (tmp_path / "base-images").mkdir()
    with (tmp_path / f"base-images/{recipe.NAME}.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=debian_disk, args=(tmp_path, lines.append))
        thread.start()
        while not lines:
            thread.join(0.01)
    thread.join()
    assert "another process is at it" in lines[0]


def test_a_missing_program_is_named_with_how_to_install_it() -> None:
    with pytest.raises(HypervisorError, match=r"a test needs no-such-a, no-such-b, .* apt-get install some-package$"):
        require_tools({"no-such-a": "some-package", "sh": "dash", "no-such-b": "some-package"}, "a test")


def test_a_failed_program_is_quoted(tmp_path: Path) -> None:
    bench = Workbench("building a test", tmp_path / "log", lambda _: None)
    with pytest.raises(HypervisorError, match=r"building a test failed .* sh ended with exit code 3: .*too bad"):
        bench.run(["sh", "-c", "echo too bad >&2; exit 3"], "trying")


def test_a_long_step_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_SECONDS_BETWEEN_SIGNS_OF_LIFE", 0.1)
    lines: list[str] = []
    Workbench("a test", tmp_path / "log", lines.append).run(["sh", "-c", "echo so tired; sleep 0.5"], "sleeping")
    assert lines[0] == "a test: sleeping (0 s)"
    assert "a test: sleeping: so tired (0 s)" in lines[1:]


def test_a_program_gets_its_input(tmp_path: Path) -> None:
    Workbench("a test", tmp_path / "log", lambda _: None).run(["cat"], "reading", stdin="some input")
    assert (tmp_path / "log").read_text() == "some input"


def test_the_boot_loader_does_not_touch_the_partition_table(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\xaa" * (4 << 20))
    write_bios_loader(disk, bytes(512), b"core".ljust(1024, b"\1"))
    written = disk.read_bytes()
    assert written[440:512] == b"\xaa" * 72
    assert int.from_bytes(written[0x5C:0x64], "little") == 2048
    assert written[2048 * 512 :].startswith(b"core")
    assert int.from_bytes(written[2048 * 512 + 0x1F4 :][:8], "little") == 2049


def test_a_boot_loader_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_bios_loader(tmp_path / "disk", bytes(512), bytes(4 << 20))


def test_only_the_table_of_the_file_system_is_erased(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\xaa" * 2048)
    erase_partition_table(disk, 1024)
    assert disk.read_bytes() == b"\xaa" * 1470 + bytes(64) + b"\xaa" * 514


@pytest.mark.parametrize("urn", ["Debian:debian-12:12-gen2", "debian:Debian-12:12-GEN2"])
def test_images_are_known_by_azures_names_in_any_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urn: str
) -> None:
    monkeypatch.setattr(marketplace, "debian_disk", lambda cache, _: cache / os.devnull)
    assert marketplace_disk(urn, "V2", tmp_path, print) == Path(os.devnull)


def test_an_unknown_image_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        HypervisorError, match="Canonical:ubuntu:22 does not exist here; there are: Debian:debian-12:12,"
    ):
        marketplace_disk("Canonical:ubuntu:22", "V1", tmp_path, print)


def test_an_image_has_one_generation(tmp_path: Path) -> None:
    with pytest.raises(HypervisorError, match="is of generation V1, not V2"):
        marketplace_disk("Debian:debian-12:12", "V2", tmp_path, print)
