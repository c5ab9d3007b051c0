"""Ansible's azure.azcollection, run by this environment's Ansible with the SDKs of .venv-clients."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.azure_cli import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTION = ENVIRONMENT / "collection"
IS_INSTALLED = (COLLECTION / "ready").exists()
HERE = Path(__file__).parent
PYTHON = ENVIRONMENT / "bin" / "python"


@contextmanager
def ansible_environment() -> Iterator[dict[str, str]]:
    """Give what Ansible's commands need: the collection, and an inventory whose localhost has the SDKs."""
    with tempfile.TemporaryDirectory() as name:  # the path of a socket has to be short
        folder = Path(name)
        interpreter, inventory = folder / "python", folder / "inventory"
        # Started without site-packages, which it does not need, it is there in a few milliseconds.
        interpreter.write_text(f'#!/bin/sh\nexec {PYTHON} -ISE {HERE / "ask_warm_python.py"} {folder}/socket "$@"\n')
        interpreter.chmod(0o755)
        inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={interpreter}\n")
        command = [PYTHON, HERE / "warm_python.py", folder / "socket"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield {
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION),
                "ANSIBLE_INVENTORY": str(inventory),
                "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
                "ANSIBLE_NOCOLOR": "1",
            }
            server.terminate()
