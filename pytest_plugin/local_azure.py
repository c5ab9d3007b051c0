"""The local cloud of a session: started in process, or, in an xdist worker, that of the controller."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.errors import VerifiedImagesError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    import pytest

    from pytest_plugin.options import Settings
    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.announcement import RunningCloud
    from verified_images.emulator.local_cloud import LocalCloud
    from verified_images.stages.output import Output

WORKER_INPUT = "verified_images_local_azure"
"""The key under which a controller tells its xdist workers of the local cloud."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is to be known of a local cloud to use it, in plain values."""

    endpoint: str
    ca_bundle: str
    proxy: str
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str

    @classmethod
    def of(cls, cloud: LocalCloud | RunningCloud) -> Endpoint:
        """Describe a running local cloud."""
        account = cloud.account
        return cls(
            endpoint=cloud.endpoint,
            ca_bundle=str(cloud.ca_bundle),
            proxy=cloud.proxy,
            tenant_id=account.tenant_id,
            subscription_id=account.subscription_id,
            client_id=account.client_id,
            client_secret=account.client_secret,
        )

    def as_worker_input(self) -> dict[str, str]:
        """Give the values as xdist can send them."""
        return asdict(self)


def start(settings: Settings, undo: ExitStack, output: Output | None = None) -> Endpoint:
    """Start the local cloud on its folder, unless ``verified-images local serve`` serves it already.

    Raises:
        VerifiedImagesError: another process uses the folder, or it cannot be written.
    """
    from verified_images.emulator.announcement import find_running  # noqa: PLC0415 - slow
    from verified_images.emulator.local_cloud import LocalCloud, Options, StateInUseError  # noqa: PLC0415 - slow

    running = find_running(settings.state)
    if running is not None:
        return Endpoint.of(running)
    options = Options(
        hypervisor="fake" if settings.hypervisor == "fake" else "qemu",
        cache=settings.cache,
        progress=output.step if output else None,
    )
    if output is not None:
        output.step(f"start the local cloud in '{settings.state}'")
    try:
        return Endpoint.of(undo.enter_context(LocalCloud(settings.state, options)))
    except StateInUseError as error:
        raise VerifiedImagesError(f"{error}: --vi-state names one") from error
    except (OSError, sqlite3.Error) as error:
        raise VerifiedImagesError(
            f"the local cloud cannot start in '{settings.state}': {error}; --vi-state names another folder"
        ) from error


def connect(config: pytest.Config, settings: Settings, undo: ExitStack, output: Output) -> CloudConnection:
    """Connect to the session's local cloud, and start it unless an xdist controller did."""
    from verified_images.cloud.connection import connect_local  # noqa: PLC0415 - only runs that build

    given: Mapping[str, Any] = getattr(config, "workerinput", {}).get(WORKER_INPUT, {})
    endpoint = Endpoint(**given) if given else start(settings, undo, output)
    values = endpoint.as_worker_input()
    connection = connect_local(values.pop("endpoint"), ca_bundle=Path(values.pop("ca_bundle")), **values)
    undo.callback(connection.close)
    return connection
