from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from verified_images.ssh.keys import KeyType, new_run_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_written_key_is_one_that_openssh_reads(tmp_path: Path, kind: KeyType) -> None:
    key = new_run_key("of a run", kind)
    file = tmp_path / "key"
    file.write_text("an old one, which everybody may read")
    file.chmod(0o644)
    key.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    told = subprocess.run(["ssh-keygen", "-y", "-f", file], check=True, capture_output=True, text=True).stdout
    assert told.split()[:2] == key.public.split()[:2]
    assert key.public.endswith(" of a run")


def test_the_private_half_is_not_in_the_representation() -> None:
    assert "PRIVATE" not in repr(new_run_key())


def test_no_two_keys_are_the_same() -> None:
    assert new_run_key().public != new_run_key().public
