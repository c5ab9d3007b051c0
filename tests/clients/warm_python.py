"""A Python that imports Azure's SDKs once, and runs each of Ansible's modules in a copy of itself: they take seconds.

Run by the interpreter of .venv-clients: ``warm_python.py SOCKET``. Each connection brings a JSON object with ``argv``,
``cwd`` and ``environment``, and standard input, output and error; it is answered with the exit code.

The collection imports the SDKs of every service that it knows. What the tests do not use is not installed, and stood
for by modules whose every name is an empty class.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import socket
import sys
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLECTION = Path(sys.prefix) / "collection"
USED = frozenset({"compute", "core", "network", "resource"})
UNUSED = ("azure.storage", "kiota_authentication_azure", "msgraph", "msgraph_core")
IMPORTED = (
    "azure.cli.core.cloud",
    "azure.identity",
    "azure.mgmt.compute",
    "azure.mgmt.network.models",
    "azure.mgmt.resource.resources",
    "azure.mgmt.resource.locks",
    "azure.mgmt.resource.subscriptions",
    "requests",
)


class StandIn(ModuleType):
    """A module of an SDK that no test uses."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class StandIns:
    """Finds the modules that are stood for, and makes them."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        del path, target
        parts = name.split(".")
        is_unused = parts[:2] == ["azure", "mgmt"] and len(parts) > 2 and parts[2] not in USED
        if is_unused or name.startswith(UNUSED):
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]  # it is a loader, too
        return None

    def create_module(self, spec: ModuleSpec) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: StandIn) -> None:
        del module


def main() -> None:
    """Serve until the standard input ends."""
    sys.path.insert(0, str(COLLECTION / "sdk"))
    sys.meta_path.insert(0, StandIns())
    for name in IMPORTED:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(sys.argv[1])
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            with connection:
                answer(connection)


def answer(connection: socket.socket) -> None:
    """Run what a connection asks for."""
    content, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not content.endswith(b"\n"):
        content += connection.recv(1 << 20)
    copy = os.fork()
    if copy == 0:
        os._exit(run(json.loads(content), streams))
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(copy, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())


def run(wanted: dict[str, Any], streams: Sequence[int]) -> int:
    """Run a script in this process; give its exit code."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = wanted["argv"]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter does
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
