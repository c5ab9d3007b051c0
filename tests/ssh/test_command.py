from __future__ import annotations

import shlex
from pathlib import Path

from verified_images.ssh.address import Address
from verified_images.ssh.command import known_hosts_lines, ssh_command

ADDRESS = Address("vm", "203.0.113.9", 22, "packer", ("ssh-ed25519 AAAA root@vm", "ssh-rsa BBBB"))


def test_the_command_trusts_and_tries_nothing_else() -> None:
    words = shlex.split(ssh_command(ADDRESS, Path("/runs/a b.key"), Path("/runs/a b.known_hosts")))
    assert words[:5] == ["ssh", "-F", "none", "-i", "/runs/a b.key"]
    assert {"StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "UserKnownHostsFile=/runs/a b.known_hosts"} <= {*words}
    assert words[-3:] == ["-p", "22", "packer@203.0.113.9"]


def test_the_command_goes_through_a_proxy() -> None:
    command = ssh_command(ADDRESS, Path("k"), Path("h"), proxy_command="relay --state 'my folder' %h %p")
    assert "ProxyCommand=relay --state 'my folder' %h %p" in shlex.split(command)


def test_host_keys_are_kept_as_openssh_does() -> None:
    assert known_hosts_lines(ADDRESS) == "203.0.113.9 ssh-ed25519 AAAA\n203.0.113.9 ssh-rsa BBBB\n"
    other = Address("vm", "203.0.113.9", 2222, "packer", ("ssh-ed25519 AAAA",))
    assert known_hosts_lines(other) == "[203.0.113.9]:2222 ssh-ed25519 AAAA\n"
