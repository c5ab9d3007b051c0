"""Building a Marketplace disk once and keeping it in the cache folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from typing import TYPE_CHECKING

from verified_images.emulator.base_image import disk, recipe
from verified_images.emulator.base_image.sources import apt_sources
from verified_images.emulator.base_image.tools import SEARCH_PATH, Workbench, require_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PURPOSE = "building the Debian 12 disk"
_SECONDS_BETWEEN_TRIES = 5.0


def debian_disk(cache: Path, progress: Callable[[str], None]) -> Path:
    """Give the Debian 12 disk in ``cache``, built first if it is not there; processes that come together build it once.

    Raises:
        HypervisorError: a program is missing or failed.
    """
    folder = cache / "base-images"
    finished = folder / f"{recipe.NAME}-{recipe.cache_key()}.qcow2"
    if finished.exists():
        return finished
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / f"{recipe.NAME}.lock", progress):
        if not finished.exists():
            _build(finished, folder / f".{recipe.NAME}.building", progress)
    return finished


def _build(finished: Path, work: Path, progress: Callable[[str], None]) -> None:
    require_tools(disk.TOOLS | ({} if os.geteuid() == 0 else disk.TOOLS_OF_ORDINARY_USERS), _PURPOSE)
    _remove(work)
    work.mkdir(mode=0o700)
    bench = Workbench(_PURPOSE, finished.with_suffix(".log"), progress)
    bench.log.unlink(missing_ok=True)
    try:
        rootfs = _install_packages(work, bench)
        made = disk.DiskBuilder(work, bench).build(rootfs)
        made.chmod(0o444)
        made.replace(finished)
    finally:
        _remove(work)
    bench.say(f"done, {finished.stat().st_size >> 20} MiB")


def _install_packages(work: Path, bench: Workbench) -> Path:
    files, rootfs, sources = work / "files.tar", work / "rootfs.tar", work / "debian.sources"
    files.write_bytes(recipe.pack_root_files())
    sources.write_text(apt_sources(recipe.SUITE), encoding="utf-8")
    bench.run(
        [
            "mmdebstrap",
            f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
            "--variant=minbase",
            '--aptopt=APT::Install-Recommends "false"',
            f"--include={','.join(recipe.PACKAGES)}",
            f"--essential-hook=tar-in {files} /",
            recipe.SUITE,
            str(rootfs),
            str(sources),
        ],
        f"installing {len(recipe.PACKAGES)} packages and what they need",
    )
    return rootfs


def _remove(work: Path) -> None:
    # What an interrupted build left may belong to the name space's users, and only its root can remove that.
    if work.exists():
        subprocess.run(disk.in_namespace("rm", "-rf", str(work)), check=True, env={**os.environ, "PATH": SEARCH_PATH})


@contextlib.contextmanager
def _lock(file: Path, progress: Callable[[str], None]) -> Iterator[None]:
    with file.open("a") as handle:
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"{_PURPOSE}: another process is at it ({time.monotonic() - started:.0f} s)")
                time.sleep(_SECONDS_BETWEEN_TRIES)
        yield
