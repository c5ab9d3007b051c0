"""Uploads to a machine 50 ms away, beside those of `tar | ssh tar` on the same line."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.line import far_machine
from tests.bench.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ssh.delay import DelayedLine
    from tests.ssh.openssh import OpenSSHServer

BUDGET = 1 / 0.9
"""At least nine tenths of the speed of tar over ssh."""


def measure() -> Iterator[Measurement]:
    """Measures a tree of many small files, and one large file that cannot be compressed."""
    with tempfile.TemporaryDirectory() as folder:
        for what, count, size in (("1000 files of 10 KB", 1000, 10_000), ("a file of 100 MB", 1, 100_000_000)):
            tree = Path(folder, str(count))
            tree.mkdir()
            for number in range(count):
                (tree / f"file{number}").write_bytes(os.urandom(size))
            ratio = compare(tree)
            yield Measurement(f"upload of {what}, beside tar | ssh tar", ratio, BUDGET, "times as long")


def compare(tree: Path) -> float:
    """Returns how much longer our upload takes; the better of two tries each, in turns."""
    ours, theirs = [], []
    with far_machine() as (session, line, server):
        session.run("true")
        for number in range(2):
            target = server.folder / f"ours{number}"
            ours.append(seconds(lambda target=target: session.upload(f"{tree}/", str(target))))  # type: ignore[misc]
            theirs.append(seconds(lambda number=number: upload_with_tar(tree, line, server, number)))  # type: ignore[misc]
            if len(list(target.iterdir())) != len(list(tree.iterdir())):
                raise RuntimeError(f"Not everything of {tree} arrived in {target}.")
    return min(ours) / min(theirs)


def seconds(work: Callable[[], object]) -> float:
    """Returns how long the work took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def upload_with_tar(tree: Path, line: DelayedLine, server: OpenSSHServer, number: int) -> None:
    """Uploads a tree as one would by hand."""
    target = server.folder / f"theirs{number}"
    options = "-q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
    remote = f"ssh {options} -i {server.folder}/key -p {line.port} {server.username}@127.0.0.1"
    command = f"tar -C {tree} -cf - . | {remote} 'mkdir {target} && tar -C {target} -xf -'"
    subprocess.run(["sh", "-c", command], check=True)
