"""The command by which a person gets into a machine that was kept: OpenSSH's, with the same key and host keys."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.ssh.address import Address

_SSH_PORT = 22


def ssh_command(address: Address, key: Path, known_hosts: Path, *, proxy_command: str | None = None) -> str:
    """Return the command line for a shell; ``proxy_command`` is what OpenSSH reaches the machine through, if anything.

    No other key is tried, and no host key is believed but those in ``known_hosts``.
    """
    options = [
        "IdentitiesOnly=yes",
        f"UserKnownHostsFile={known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
    ]
    if proxy_command:
        options.append(f"ProxyCommand={proxy_command}")
    words = ["ssh", "-F", "none", "-i", str(key)]
    for option in options:
        words += ["-o", option]
    return shlex.join([*words, "-p", str(address.port), f"{address.username}@{address.host}"])


def known_hosts_lines(address: Address) -> str:
    """Return the machine's host keys as OpenSSH keeps them (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    name = address.host if address.port == _SSH_PORT else f"[{address.host}]:{address.port}"
    return "".join(f"{name} {' '.join(key.split()[:2])}\n" for key in address.host_keys)
