"""Processes that end with their owner, and finding those that did not.

A guest's process is told by the kernel when its owner is gone (prctl(2), PR_SET_PDEATHSIG). The signal is bound to the
*thread* that started the process, so all are started by one thread that lives as long as the hypervisor. As a second
net each process is recorded, with the moment of its start, so that a later process with the same number is never taken
for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5)
_SECONDS_TO_DIE = 10.0

# Between fork and prctl the owner may have died already, and no signal comes: then the parent is another process.
_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'


class Spawner:
    """Starts processes that the kernel kills when this process, or this object, is gone."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu-spawner")

    def start(self, command: Sequence[str], *, log: Path, sockets: Sequence[int]) -> subprocess.Popen[bytes]:
        """Start ``command`` with its output in ``log``; it inherits ``sockets``.

        Raises:
            HypervisorError: the system has no setpriv, or this object is closed.
        """
        try:
            started = self._thread.submit(self._start, command, log, sockets)
        except RuntimeError as error:
            raise HypervisorError("no process is started while the hypervisor closes") from error
        return started.result()

    def close(self) -> None:
        """End the thread, and with it every process it started."""
        self._thread.shutdown()

    @staticmethod
    def _start(command: Sequence[str], log: Path, sockets: Sequence[int]) -> subprocess.Popen[bytes]:
        leash = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", _UNLESS_ORPHANED, str(os.getpid())]
        try:
            with log.open("wb") as output:
                return subprocess.Popen(
                    [*leash, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=sockets,
                    umask=0o077,
                    process_group=0,
                )
        except FileNotFoundError as error:
            raise HypervisorError("guests need setpriv; install with: apt-get install util-linux") from error


def record_process(record: Path, pid: int) -> None:
    """Note in ``record`` which process this is."""
    facts = {"pid": pid, "started": _start_time(pid), "boot_id": _boot_id()}
    record.write_text(json.dumps(facts), encoding="utf-8")


def end_recorded_process(record: Path) -> bool:
    """Kill the process that ``record`` tells of, if it still runs, and remove the record; tell whether it ran."""
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        pid, started, boot_id = int(facts["pid"]), facts["started"], facts["boot_id"]
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):
        record.unlink()
        return False
    killed = boot_id == _boot_id() and _kill(pid, started)
    record.unlink()
    return killed


def _kill(pid: int, started: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Asked after the handle is held: from here on the number cannot come to mean another process.
        if _start_time(pid) != started:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        _wait_until_gone(pid, started)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _wait_until_gone(pid: int, started: int) -> None:
    deadline = time.monotonic() + _SECONDS_TO_DIE
    while _start_time(pid) == started and time.monotonic() < deadline:
        time.sleep(0.02)


def _start_time(pid: int) -> int | None:
    """Give the process' start in clock ticks since boot; None for one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the program's name in parentheses, may hold spaces.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[_START_TIME_FIELD - 3])


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
