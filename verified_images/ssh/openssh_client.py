"""What OpenSSH's client needs to log in as a session does: a port, the run's key, and the pinned host keys."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.ssh.host_keys import read_host_keys
from verified_images.ssh.local_port import LocalPort

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.ssh.address import Address
    from verified_images.ssh.keys import RunKey
    from verified_images.ssh.reach import Reach


@dataclass(frozen=True, slots=True)
class OpenSSHAccess:
    """A way in for ``ssh``: where to connect to, as whom, and the options that leave no other way to log in."""

    host: str
    port: int
    username: str
    options: tuple[str, ...]


@contextlib.contextmanager
def lend_access(address: Address, key: RunKey, reach: Reach, folder: Path) -> Iterator[OpenSSHAccess]:
    """Lend a way in through ``folder``, which nobody else may be able to read; it ends with the context.

    The private key is in a file there meanwhile, since OpenSSH takes it from files only.
    """
    key_file, hosts_file = folder / "key", folder / "known_hosts"
    hosts_file.write_text("".join(f"machine {host_key}\n" for host_key in read_host_keys("\n".join(address.host_keys))))
    try:
        key.write(key_file)
        with LocalPort(address, reach) as port:
            yield OpenSSHAccess(port.host, port.port, address.username, _options(key_file, hosts_file))
    finally:
        key_file.unlink(missing_ok=True)


def _options(key_file: Path, hosts_file: Path) -> tuple[str, ...]:
    settings = {
        "HostKeyAlias": "machine",
        "UserKnownHostsFile": hosts_file,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        "IdentityFile": key_file,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ForwardAgent": "no",
        "ServerAliveInterval": 15,
    }
    return ("-F", "/dev/null", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")))
