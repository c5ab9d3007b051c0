"""What the README says about clients of the local Azure works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.azure_cli import ENVIRONMENT, IS_INSTALLED

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("azure-cli")

BINARIES = Path(sys.executable).parent
SECTION = (
    (Path(__file__).parents[2] / "README.md").read_text("utf-8").partition("### Clients\n")[2].partition("\n### ")[0]
)


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def served(home: Path) -> Iterator[dict[str, str]]:
    """Serve a local Azure as its user would; give the environment of that user's other terminal."""
    environment = {
        **{name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ},
        "PATH": f"{BINARIES}:{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        # Whatever would leave this machine fails at once.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    command = [str(BINARIES / "verified-images"), "local", "serve", "--hypervisor=fake"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        while "local env" not in server.stderr.readline():
            assert server.poll() is None
        yield environment
        server.terminate()


def test_the_azure_cli_makes_a_machine_which_an_sdk_finds(tmp_path: Path) -> None:
    if not IS_INSTALLED:
        pytest.skip("the azure CLI is not in .venv-clients: ./dev test tests/clients installs it")
    (tmp_path / "list.py").write_text(block("python"))
    script = f"set -e\n{block('bash')}\n{sys.executable} {tmp_path / 'list.py'}\n"

    with served(tmp_path) as environment:
        result = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=240
        )

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.rstrip().endswith("['web']")
