"""The azure CLI in its own virtual environment, pointed at a local Azure."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from verified_images.emulator import LocalCloud

ENVIRONMENT = Path(__file__).parents[2] / ".venv-clients"
IS_INSTALLED = (ENVIRONMENT / "ready").exists()
Json = Any


class AzFailedError(AssertionError):
    """A command of the CLI did not end well."""


@dataclass
class AzureCli:
    """One session of the CLI; ``folder`` holds its configuration."""

    cloud: LocalCloud
    folder: Path

    def __enter__(self) -> Self:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            [ENVIRONMENT / "bin" / "python", Path(__file__).with_name("az_session.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **kept,
                "HOME": str(self.folder),
                "AZURE_CONFIG_DIR": str(self.folder / "azure"),
                "AZURE_CORE_COLLECT_TELEMETRY": "0",
                "AZURE_CORE_DISPLAY_REGION_IDENTIFIED": "false",
                "AZURE_CORE_INSTANCE_DISCOVERY": "false",
                "AZURE_CORE_NO_COLOR": "1",
                "AZURE_CORE_SURVEY_MESSAGE": "no",
                "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
                "REQUESTS_CA_BUNDLE": str(self.cloud.ca_bundle),
                # Whatever would leave this machine fails at once.
                "HTTPS_PROXY": "http://127.0.0.1:9",
                "HTTP_PROXY": "http://127.0.0.1:9",
                "NO_PROXY": "127.0.0.1",
            },
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    def __call__(self, command: str, *more: str) -> Json:
        """Run a command, written as in a shell, and give what it prints."""
        answer = self.run(command, *more)
        if answer["code"]:
            raise AzFailedError(f"az {command} {shlex.join(more)}: {answer['error'][-3000:]}")
        return answer["output"]

    def refusal(self, command: str, *more: str) -> str:
        """Give the error with which a command ends."""
        answer = self.run(command, *more)
        assert answer["code"], answer
        return str(answer["error"])

    def run(self, command: str, *more: str) -> Json:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([*shlex.split(command), *more]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def log_in(self) -> None:
        """Make the local Azure the CLI's cloud, and log in to it as its application."""
        account = self.cloud.account
        self(f"cloud register --name local --endpoint-resource-manager {self.cloud.endpoint}")
        self("cloud set --name local")
        self(
            f"login --service-principal --username {account.client_id} --password {account.client_secret} "
            f"--tenant {account.tenant_id}"
        )
