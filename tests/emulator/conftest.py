from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.clients import Clients
from tests.emulator.openapi import validation
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

validation.install()


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def local_cloud(tmp_path: Path, image_cache: Path) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path / "azure", Options(hypervisor="fake", cache=image_cache)) as cloud:
        yield cloud


@pytest.fixture
def azure(local_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(local_cloud)
    yield clients
    clients.close()
