"""The programs of this machine that run guests, or are copied into them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from verified_images.emulator.hypervisor import HypervisorError

_PACKAGES = {
    "busybox": "busybox-static",
    "dash": "dash",
    "bash": "bash",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ldd": "libc-bin",
    "cp": "coreutils",
    "rm": "coreutils",
    "tar": "tar",
}
_LIBRARY = re.compile(r"(/\S+) \(0x[0-9a-f]+\)")


def find_program(name: str) -> Path:
    """Give the path of a program.

    Raises:
        HypervisorError: it is not there; the text names the Debian package.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise HypervisorError(
            f"guests of the fake hypervisor need {name}; install with: apt-get install {_PACKAGES[name]}"
        )
    return Path(found)


def shared_libraries(program: Path) -> tuple[Path, ...]:
    """Give the libraries and the loader that a program needs, by ldd; none for a static one."""
    command = [find_program("ldd"), program]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return tuple(Path(path) for path in _LIBRARY.findall(output))


def list_applets(busybox: Path) -> tuple[str, ...]:
    """Give the commands that this busybox can be called by."""
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    return tuple(listing.stdout.split())
