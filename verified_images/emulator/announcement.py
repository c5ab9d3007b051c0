"""How a stand-alone local Azure is found by other processes of the same user."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.access import access_to
from verified_images.emulator.account import ensure_account

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.access import Access
    from verified_images.emulator.account import Account

_FILE = "endpoint.json"


@dataclass(frozen=True, slots=True)
class RunningCloud:
    """A local Azure that another process serves, with what a client needs to know of it."""

    state: Path
    endpoint: str
    proxy: str
    ca_bundle: Path
    account: Account

    @property
    def access(self) -> Access:
        """What a client has to know."""
        return access_to(self.account, endpoint=self.endpoint, ca_bundle=self.ca_bundle, proxy=self.proxy)

    def close(self) -> None:
        """Leave it running: whoever serves it closes it."""


def announce(state: Path, endpoint: str, proxy: str) -> None:
    """Write where the local Azure of a folder is served."""
    temporary = state / (_FILE + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"endpoint": endpoint, "proxy": proxy, "pid": os.getpid()}, stream)
    temporary.replace(state / _FILE)


def withdraw(state: Path) -> None:
    """Take the announcement back."""
    (state / _FILE).unlink(missing_ok=True)


def find_running(state: Path) -> RunningCloud | None:
    """Give the local Azure that is served stand-alone on a folder, or None when none is.

    An announcement that a killed process left behind does not count, even while another one takes its place.
    """
    try:
        facts = json.loads((state / _FILE).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not _is_alive(facts.get("pid")) or not _is_locked(state):
        return None
    return RunningCloud(
        state,
        facts["endpoint"],
        facts["proxy"],
        state / "ca" / "ca.pem",
        ensure_account(state / "account.json"),
    )


def _is_alive(pid: int | None) -> bool:
    """Tell whether a process is there; None is that of an announcement that names none."""
    if pid is None:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_locked(state: Path) -> bool:
    with (state / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
