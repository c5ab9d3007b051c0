from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.identity.entra import Entra
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def entra(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[Entra]:
    state = tmp_path_factory.mktemp("identity") / "azure"
    with LocalCloud(state, Options(hypervisor="fake", cache=image_cache)) as cloud:
        yield Entra(cloud)
