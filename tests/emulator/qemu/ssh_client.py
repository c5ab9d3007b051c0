"""The host's own ssh, as a user of a guest would call it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Key:
    """A key pair made for a test."""

    file: Path
    public: str


def make_key(folder: Path) -> Key:
    file = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return Key(file, file.with_suffix(".pub").read_text().strip())


def run_over_ssh(address: tuple[str, int], username: str, key: Key, known_hosts: Path, command: str) -> str:
    """Run a command and give what it printed; the guest must show a key of ``known_hosts``."""
    options = {"StrictHostKeyChecking": "yes", "UserKnownHostsFile": known_hosts, "BatchMode": "yes"}
    arguments = [f"-o{name}={value}" for name, value in options.items()]
    host, port = address
    done = subprocess.run(
        ["ssh", *arguments, "-i", str(key.file), "-p", str(port), f"{username}@{host}", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done
    return done.stdout


def write_known_hosts(file: Path, address: tuple[str, int], serial_log: bytes) -> Path:
    """Write the host keys that cloud-init has printed on the console, as the library learns them."""
    text = serial_log.decode(errors="replace").replace("\r", "")
    block = text.rpartition("-----BEGIN SSH HOST KEY KEYS-----")[2].partition("-----END SSH HOST KEY KEYS-----")[0]
    keys = [line.strip() for line in block.splitlines() if line.strip()]
    assert keys, text[-2000:]
    host, port = address
    file.write_text("".join(f"[{host}]:{port} {key}\n" for key in keys))
    return file
