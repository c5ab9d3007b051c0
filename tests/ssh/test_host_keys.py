from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from verified_images.ssh.host_keys import describe, read_host_keys, read_serial_log
from verified_images.ssh.keys import new_run_key

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, RSA = (new_run_key("root@vm", kind).public for kind in ("ed25519", "ed25519", "rsa"))


def block(*lines: str, prefix: str = "") -> str:
    marked = ["-----BEGIN SSH HOST KEY KEYS-----", *lines, "-----END SSH HOST KEY KEYS-----"]
    return "".join(f"{prefix}{line}\r\n" for line in marked)


def test_reads_the_block_that_cloud_init_prints() -> None:
    keys = read_serial_log("[   12.3] boot\r\n" + block(NEW, RSA) + "debian login: ")
    assert [key.kind for key in keys] == ["ssh-ed25519", "ssh-rsa"]
    assert str(keys[0]) == " ".join(NEW.split()[:2])


def test_takes_the_last_complete_block() -> None:
    log = block(OLD) + block(NEW) + "-----BEGIN SSH HOST KEY KEYS-----\r\n" + RSA[:80]
    assert read_serial_log(log) == read_host_keys(NEW)


def test_reads_lines_with_a_time_stamp_before_them() -> None:
    assert read_serial_log(block(NEW, prefix="[   20.123456] cloud-init[700]: ")) == read_host_keys(NEW)


def test_a_log_without_a_block_tells_nothing() -> None:
    assert read_serial_log(f"somebody printed {NEW}") == ()


def test_a_key_that_is_cut_short_is_no_key() -> None:
    kind, encoded, _ = NEW.split()
    assert read_host_keys(f"{kind} {encoded[:-8]}") == ()


def test_a_key_that_says_another_kind_than_its_line_is_no_key() -> None:
    assert read_host_keys(NEW.replace("ssh-ed25519", "ssh-rsa", 1)) == ()


def test_reads_keyscan_and_known_hosts_lines_once_each() -> None:
    scan = f"# 10.0.0.4:22 SSH-2.0-OpenSSH\n10.0.0.4 {NEW}\n[10.0.0.4]:2222 {NEW}\n{RSA}\n"
    assert read_host_keys(scan) == read_host_keys(f"{NEW}\n{RSA}")


def test_rsa_keys_prove_themselves_with_sha2_only() -> None:
    assert read_host_keys(RSA)[0].algorithms == ("rsa-sha2-512", "rsa-sha2-256")


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(NEW)
    told = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout
    assert read_host_keys(NEW)[0].fingerprint in told
    assert "SHA256:" in describe(read_host_keys(NEW))
