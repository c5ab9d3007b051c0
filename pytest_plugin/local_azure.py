"""The local cloud of a session: started in process, or, in an xdist worker, that of the controller."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from verified_images.errors import VerifiedImagesError

if TYPE_CHECKING:
    from contextlib import ExitStack

    import pytest

    from pytest_plugin.options import Settings
    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.access import Access
    from verified_images.stages.output import Output

WORKER_INPUT = "verified_images_local_azure"
"""The key under which a controller tells its xdist workers of the local cloud."""


def start(settings: Settings, undo: ExitStack, output: Output | None = None) -> Access:
    """Start the local cloud on its folder, unless ``verified-images local serve`` serves it already.

    Raises:
        VerifiedImagesError: another process uses the folder, or it cannot be written.
    """
    from verified_images.emulator.announcement import find_running  # noqa: PLC0415 - slow
    from verified_images.emulator.local_cloud import LocalCloud, Options, StateInUseError  # noqa: PLC0415 - slow

    running = find_running(settings.state)
    if running is not None:
        return running.access
    options = Options(
        hypervisor="fake" if settings.hypervisor == "fake" else "qemu",
        cache=settings.cache,
        progress=output.step if output else None,
    )
    if output is not None:
        output.step(f"start the local cloud in '{settings.state}'")
    try:
        return undo.enter_context(LocalCloud(settings.state, options)).access
    except StateInUseError as error:
        raise VerifiedImagesError(f"{error}: --vi-state names one") from error
    except (OSError, sqlite3.Error) as error:
        raise VerifiedImagesError(
            f"the local cloud cannot start in '{settings.state}': {error}; --vi-state names another folder"
        ) from error


def connect(config: pytest.Config, settings: Settings, undo: ExitStack, output: Output) -> CloudConnection:
    """Connect to the session's local cloud, and start it unless an xdist controller did."""
    from verified_images.cloud.connection import connect_local  # noqa: PLC0415 - only runs that build

    given: Access | None = getattr(config, "workerinput", {}).get(WORKER_INPUT)
    connection = connect_local(**(given or start(settings, undo, output)))
    undo.callback(connection.close)
    return connection
