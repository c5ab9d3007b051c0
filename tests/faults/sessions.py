"""A pytest of its own on the local cloud: begun, struck by something, and what it left.

The processes are forked from one that has imported the Azure SDK already, which otherwise takes most of their time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.moments import PATIENCE
from tests.plugin.conftest import OTHERS, PLUGIN
from verified_images.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from verified_images.emulator.local_cloud import LocalCloud

_DYING = 60.0

# Starting a process asks for the end of all others, and of two threads that ask for one only one is told.
_ASKING = threading.Lock()
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.preloaded"])
_ALREADY_IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"

_ENDS = {"failure", "error", "skipped"}

TEMPLATE = """\
builder:
  source: {{publisher: Debian, offer: debian-12, sku: 12-gen2}}
  vm_size: Standard_B2s
  location: westeurope
provisioners:
  - shell: {{inline: ["true"]}}
image:
  gallery: {{resource_group: images, gallery: golden, definition: web, version: 1.0.{number}}}
  managed: {{resource_group: images, name: web-{number}}}
smoke: {{instances: 1, timeout: 5m}}
"""
TESTS = """\
def test_machine(host):
    assert host.run("true").rc == 0

def test_image(image):
    assert image.id

def test_instance(instance, host):
    assert host.run("true").rc == 0
"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Where sessions run: the folder of one, which has its specs, its journals and its report, and the cloud."""

    folder: Path
    cloud: LocalCloud
    cache: Path

    @property
    def output(self) -> str:
        """What the session has written."""
        return self._output.read_text("utf-8", "replace")

    @property
    def _output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def report(self) -> Path:
        """The JUnit file."""
        return self.folder / "report.xml"

    @property
    def runs(self) -> list[str]:
        """The runs that have left something, as their journals tell."""
        return sorted(path.stem for path in (self.folder / "state/verified-images/runs").glob("*.jsonl"))

    def add(self, name: str, template: str, tests: str = TESTS) -> None:
        """Write a spec."""
        spec = self.folder / "specs" / name
        spec.mkdir(parents=True)
        (spec / "template.yaml").write_text(template)
        (spec / "test_all.py").write_text(tests)

    @contextmanager
    def begin(
        self, *arguments: str, plugin: Callable[[Connection], object], environment: Mapping[str, str] | None = None
    ) -> Iterator[Session]:
        """Begin a pytest with a plugin, which is made in its process and talks to this one."""
        options = (
            *("-p", "no:cacheprovider", "-W", "error", "-W", _ALREADY_IMPORTED, "--junit-xml=report.xml", "-v"),
            *("--vi-hypervisor=fake", f"--vi-state={self.cloud.state}", f"--vi-cache={self.cache}", "specs"),
        )
        command = _Pytest([*PLUGIN, *OTHERS, *options, *arguments], plugin)
        with self._process(command, environment) as session:
            yield session

    def reap(self, *arguments: str) -> int:
        """Run ``verified-images`` with these arguments, and give its exit code."""
        with self._process(_Command(list(arguments))) as session:
            return session.wait()

    @contextmanager
    def _process(
        self, target: Callable[[Connection], int], environment: Mapping[str, str] | None = None
    ) -> Iterator[Session]:
        ours, theirs = _CONTEXT.Pipe()
        environment = {"XDG_STATE_HOME": str(self.folder / "state"), **(environment or {})}
        process = _CONTEXT.Process(target=_work, args=(target, theirs, self.folder, self._output, environment))
        with ours:
            with theirs, _ASKING:
                process.start()
            try:
                yield Session(process, ours)
            finally:
                process.kill()
                _await_end(process)

    def read_report(self) -> Mapping[str, str]:
        """Give the outcome of each case of the JUnit file.

        Raises:
            ParseError: it is no XML.
        """
        cases = ET.parse(self.report).iter("testcase")  # noqa: S314 - what pytest wrote
        return {
            str(case.get("name")): next((part.tag for part in case if part.tag in _ENDS), "passed") for case in cases
        }


@dataclass(frozen=True, slots=True)
class Session:
    """A process that goes on; ``wire`` leads to its plugin."""

    process: ForkServerProcess
    wire: Connection

    def receive(self) -> Any:  # noqa: ANN401 - whatever its plugin sends
        """Wait for what its plugin sends, and give it.

        Raises:
            AssertionError: nothing has come in time.
            EOFError: it has ended without a word.
        """
        assert self.wire.poll(PATIENCE), f"the session has told nothing within {PATIENCE:.0f} s"
        return self.wire.recv()

    def wait(self) -> int:
        """Wait for its end, and give its exit code; that of a signal is negative.

        Raises:
            AssertionError: it has not ended in time.
        """
        connection.wait([self.process.sentinel], PATIENCE)
        with _ASKING:
            code = self.process.exitcode
        assert code is not None, "the session has not come to its end"
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        os.kill(self.process.pid or 0, number)


def _await_end(process: ForkServerProcess) -> None:
    """Wait for the end of a process that was killed; what goes wrong with it here fails the test at once."""
    assert connection.wait([process.sentinel], _DYING), "a session that was killed has not ended"
    with _ASKING:
        process.join(_DYING)
        process.close()


@dataclass(frozen=True, slots=True)
class _Pytest:
    arguments: list[str]
    plugin: Callable[[Connection], object]

    def __call__(self, wire: Connection) -> int:
        return int(pytest.main(self.arguments, plugins=[self.plugin(wire)]))


@dataclass(frozen=True, slots=True)
class _Command:
    arguments: list[str]

    def __call__(self, _wire: Connection) -> int:
        return main(self.arguments)


def _work(
    target: Callable[[Connection], int], wire: Connection, folder: Path, output: Path, environment: Mapping[str, str]
) -> None:
    # Where a shell runs the tests in its background SIGINT is ignored, and whatever they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    os.chdir(folder)
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # What multiprocessing has given the process is no terminal, and pytest reads from it where it captures.
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115 - for good
    sys.exit(target(wire))
