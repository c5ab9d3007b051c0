"""Ansible's azure.azcollection makes an image on the local Azure, and a scale set that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.azure_collection import IS_INSTALLED, ansible_environment
from verified_images.commands.local import clients_environment

if TYPE_CHECKING:
    from verified_images.emulator import RunningCloud

pytestmark = [
    pytest.mark.xdist_group("ansible"),
    pytest.mark.skipif(not IS_INSTALLED, reason="azure.azcollection is not in .venv-clients: ./dev test installs it"),
]

PLAYBOOK = Path(__file__).parent / "ansible" / "image.yaml"
BINARIES = Path(sys.executable).parent


def test_a_playbook_makes_an_image_and_a_scale_set_of_it(running: RunningCloud, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    with ansible_environment() as environment:
        done = subprocess.run(
            [BINARIES / "ansible-playbook", "-e", f"key={tmp_path / 'key'}", "-e", f"state={running.state}", PLAYBOOK],
            env={
                **environment,
                **clients_environment(running, as_azure=True),
                "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",  # its socket's path would be too long below tmp_path
                "HOME": str(tmp_path),
                "LANG": "C.UTF-8",
                "PATH": f"{BINARIES}:{os.environ['PATH']}",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" not in done.stdout
