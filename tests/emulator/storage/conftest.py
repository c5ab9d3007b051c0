from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.storage.blob import BlobServiceClient

from tests.emulator.clients import Clients
from verified_images.emulator import LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import ContainerClient

NAME = "goldenvhds"
ACCOUNT = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}


@dataclass
class Storage:
    """A storage account of a local Azure, and how to speak to it."""

    cloud: LocalCloud
    azure: Clients
    session: requests.Session

    def call(self, method: str, path: str = "", body: Any = None, name: str = NAME) -> requests.Response:  # noqa: ANN401
        """Make a call of Resource Manager on the account."""
        subscription = self.cloud.account.subscription_id
        account = f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/{name}"
        url = f"{self.cloud.endpoint}{account}{path}?api-version=2023-05-01"
        return self.session.request(method, url, json=body, timeout=30)

    @property
    def id(self) -> str:
        """The account's id."""
        return str(self.call("GET").json()["id"])

    @property
    def endpoint(self) -> str:
        """Where Resource Manager says that the blobs are."""
        return str(self.call("GET").json()["properties"]["primaryEndpoints"]["blob"])

    @property
    def key(self) -> str:
        """The first of the account's keys."""
        return str(self.call("POST", "/listKeys").json()["keys"][0]["value"])

    def service(self, credential: Any = None, **options: Any) -> BlobServiceClient:  # noqa: ANN401
        """Give Microsoft's own client, with the account's key unless told otherwise."""
        return BlobServiceClient(
            self.endpoint,
            self.key if credential is None else credential,
            connection_verify=str(self.cloud.ca_bundle),
            retry_total=0,
            **options,
        )

    def raw(self, method: str, url: str, content: bytes = b"", **headers: str) -> requests.Response:
        """Send what carries its own permission, if any."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        verify = str(self.cloud.ca_bundle)
        return requests.request(method, url, data=content, headers=named, verify=verify, timeout=30)


@contextmanager
def opened_storage(state: Path, options: Options) -> Iterator[Storage]:
    """Open a local Azure, which may or may not have the account already."""
    with LocalCloud(state, options) as cloud, requests.Session() as session:
        azure = Clients(cloud)
        session.trust_env, session.verify = False, str(cloud.ca_bundle)
        token = azure.credential.get_token(f"{cloud.endpoint}/.default").token
        session.headers["Authorization"] = f"Bearer {token}"
        azure.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
        made = Storage(cloud, azure, session)
        made.call("PUT", body=ACCOUNT)
        yield made
        azure.close()


@pytest.fixture(scope="package")
def storage(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[Storage]:
    state = tmp_path_factory.mktemp("storage") / "azure"
    with opened_storage(state, Options(hypervisor="fake", cache=image_cache)) as made:
        yield made


@pytest.fixture
def vhds(storage: Storage) -> Iterator[ContainerClient]:
    """Give an empty container, which is gone afterwards, as are the files of what was in it."""
    with storage.service() as service:
        container = service.create_container("vhds")
        yield container
        container.delete_container()
    assert list((storage.cloud.state / "blobs").glob("*")) == []
