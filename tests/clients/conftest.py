from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.clients.azure_cli import IS_INSTALLED, AzureCli
from verified_images.emulator import LocalCloud, Options, find_running
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.emulator import RunningCloud


@pytest.fixture(scope="package")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("clients")
    options = Options(hypervisor="fake", cache=folder / "cache", timing=Timing(wait=1), announced=True)
    with LocalCloud(folder / "azure", options) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def running(local_cloud: LocalCloud) -> RunningCloud:
    found = find_running(local_cloud.state)
    assert found is not None
    return found


@pytest.fixture(scope="package")
def az(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCli]:
    if not IS_INSTALLED:
        pytest.skip("the azure CLI is not in .venv-clients: ./dev test tests/clients installs it")
    with AzureCli(local_cloud, tmp_path_factory.mktemp("az")) as az:
        az.log_in()
        yield az


@pytest.fixture(scope="package")
def public_key(tmp_path_factory: pytest.TempPathFactory) -> Path:

    file = tmp_path_factory.mktemp("keys") / "id.pub"
    key = Ed25519PrivateKey.generate().public_key()
    file.write_bytes(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" az\n")
    return file
