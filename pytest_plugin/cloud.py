"""Where a session's builds happen: Azure, or the local cloud, which is started when the first build needs it."""

from __future__ import annotations

import shlex
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pytest_plugin.options import Settings
    from verified_images.cloud.connection import CloudConnection
    from verified_images.journal import Journal, Record
    from verified_images.naming import Run
    from verified_images.pipeline import Build
    from verified_images.stages.output import Output
    from verified_images.templates.model import Template


_IS_OFF = (
    "it is off, since the local Azure ends with this session: --vi-reuse boots it again; "
    "begin with `verified-images local serve`, and it stays on"
)


class OpenBuild(Protocol):
    """A build that has begun."""

    @property
    def build(self) -> Build:
        """The build; the caller cleans it up."""

    def planned(self) -> tuple[str, ...]:
        """Give the ARM ids of what was created, or was about to be, and is not known to be gone."""

    def keep(self, expires: datetime) -> tuple[str, ...]:
        """Leave everything until a time, in place of the clean-up, and say in lines of text how to get in."""

    def close(self) -> None:
        """Let go of the build after its clean-up."""


class Cloud(Protocol):
    """Where builds happen."""

    @property
    def name(self) -> str:
        """What reports call it: azure or local."""

    def load(self) -> None:
        """Import what builds need; builds in threads might else import it from several sides at once, and fail."""

    def open_build(self, template: Template, run: Run, output: Output, *, layers: bool = False) -> OpenBuild:
        """Begin the build of a template, with ``layers`` on the disk of an earlier one; nothing is created yet."""

    def resume_build(self, template: Template, record: Record, output: Output) -> OpenBuild:
        """Go on with the build of an earlier run."""

    def close(self) -> None:
        """Let go of everything; builds have been cleaned up before."""


cloud_key = pytest.StashKey[Cloud]()
"""The session's cloud; what is there already is not replaced, which is how tests bring one of their own."""


@dataclass(frozen=True, slots=True)
class JournaledBuild:
    """A build with its journal.

    ``outlives_session`` tells whether machines stay on when the session ends; ``proxy_command`` is what OpenSSH
    reaches them through, where it needs that.
    """

    build: Build
    journal: Journal
    outlives_session: bool = True
    proxy_command: str | None = None

    def planned(self) -> tuple[str, ...]:
        """Give the ARM ids that the journal has and that are not known to be gone."""
        return tuple(entry.resource_id for entry in self.journal.left())

    def keep(self, expires: datetime) -> tuple[str, ...]:
        """Leave everything until a time, and say how to get in."""
        from verified_images.ssh.command import ssh_command  # noqa: PLC0415 - only runs that keep something

        kept = self.build.keep(expires, stays_on=self.outlives_session)
        if kept.address is None:
            return ()
        command = ssh_command(kept.address, kept.key, kept.known_hosts, proxy_command=self.proxy_command)
        if kept.running:
            return (command,)
        return (_IS_OFF,)

    def close(self) -> None:
        """Close the journal, which vanishes if nothing is left."""
        self.journal.close()


class ConnectedCloud:
    """Azure itself or a local cloud, behind one connection that is opened when the first build needs it.

    ``connect`` opens it and registers in the ExitStack what is to be closed; ``prepare`` is called before each
    build with the connection, to make what a build takes for granted; ``state`` is the folder of a local cloud.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[ExitStack, Output], CloudConnection],
        prepare: Callable[[CloudConnection, Template, Output], None] | None = None,
        state: Path | None = None,
    ) -> None:
        self.name = name
        self._state = state
        self._connect = connect
        self._prepare = prepare
        self._undo = ExitStack()
        self._lock = threading.Lock()
        self._connection: CloudConnection | None = None

    def load(self) -> None:
        """Import what builds need; builds in threads might else import it from several sides at once, and fail."""
        import verified_images.pipeline  # noqa: PLC0415 - only runs with specs

        if self._state is not None:
            import pytest_plugin.local_targets  # noqa: F401, PLC0415 - only runs that build on the local cloud
            import verified_images.emulator.local_cloud  # noqa: F401, PLC0415 - same

    def open_build(self, template: Template, run: Run, output: Output, *, layers: bool = False) -> JournaledBuild:
        """Begin the build of a template, with a journal of what it creates."""
        from verified_images.journal import Journal, Target, journal_folder  # noqa: PLC0415 - only runs with specs
        from verified_images.pipeline import Build  # noqa: PLC0415 - imports the Azure SDK

        outlives_session = self._outlives_session()
        connection = self._connected(output)
        if self._prepare is not None:
            self._prepare(connection, template, output)
        target = Target(connection.name, connection.subscription_id, connection.endpoint)
        journal = Journal.open(run, journal_folder(), target=target)
        build = Build(template, connection, run, journal=journal, output=output, layers=layers)
        return JournaledBuild(build, journal, outlives_session, self._proxy_command)

    def resume_build(self, template: Template, record: Record, output: Output) -> JournaledBuild:
        """Go on with the build of an earlier run, in its journal, with the key to the machine that it kept."""
        from verified_images.journal import Journal  # noqa: PLC0415 - only runs with specs
        from verified_images.pipeline import Build  # noqa: PLC0415 - imports the Azure SDK
        from verified_images.ssh.keys import read_run_key  # noqa: PLC0415 - imports paramiko

        outlives_session = self._outlives_session()
        connection = self._connected(output)
        journal = Journal.resume(record.path)
        key = read_run_key(journal.key_file) if journal.key_file.exists() else None
        build = Build(template, connection, record.run, journal=journal, output=output, key=key)
        build.resume(record)
        return JournaledBuild(build, journal, outlives_session, self._proxy_command)

    def close(self) -> None:
        """Close the connection, and the local cloud if this session started it."""
        self._undo.close()

    def _outlives_session(self) -> bool:
        """Tell whether the cloud goes on when this session has ended: a local one, if it is served stand-alone."""
        if self._state is None:
            return True
        # Two threads that import a package and a module of it at the same time may find either half done.
        with self._lock:
            from verified_images.emulator.announcement import find_running  # noqa: PLC0415 - only runs that build

            return find_running(self._state) is not None

    @property
    def _proxy_command(self) -> str | None:
        if self._state is None:
            return None
        program = shlex.join([sys.executable, "-m", "verified_images.cli", "local", "connect"])
        return f"{program} --state {shlex.quote(str(self._state))} %h %p"

    def _connected(self, output: Output) -> CloudConnection:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect(self._undo, output)
            return self._connection


def open_cloud(config: pytest.Config, settings: Settings) -> Cloud:
    """Give the cloud that the options name; it is connected to when the first build needs it."""
    if settings.cloud == "azure":
        return ConnectedCloud("azure", lambda undo, _: _connect_azure(settings, undo))
    return ConnectedCloud(
        "local", lambda undo, output: _connect_local(config, settings, undo, output), _create_targets, settings.state
    )


def _connect_azure(settings: Settings, undo: ExitStack) -> CloudConnection:
    from verified_images.cloud.connection import connect_azure  # noqa: PLC0415 - only runs that build on Azure

    settings.require_subscription()
    connection = connect_azure(settings.subscription or "", cloud=settings.azure_environment)
    undo.callback(connection.close)
    return connection


def _connect_local(config: pytest.Config, settings: Settings, undo: ExitStack, output: Output) -> CloudConnection:
    from pytest_plugin.local_azure import connect  # noqa: PLC0415 - only runs that build on it

    return connect(config, settings, undo, output)


def _create_targets(connection: CloudConnection, template: Template, output: Output) -> None:
    from pytest_plugin.local_targets import create_targets  # noqa: PLC0415 - imports the Azure SDK

    create_targets(connection, template, output)
