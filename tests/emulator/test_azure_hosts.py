"""The local Azure in the place of Azure itself: clients call Azure's own hosts, and the gateway leads them here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.identity import ClientSecretCredential
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobServiceClient
from cryptography import x509

from verified_images.emulator.certificates import ensure_certificates

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator import LocalCloud

METADATA = "/metadata/endpoints?api-version="


@pytest.fixture
def proxies(local_cloud: LocalCloud) -> dict[str, str]:
    return {"https": local_cloud.proxy.replace("socks5", "http")}


@pytest.fixture
def led_by_proxy(local_cloud: LocalCloud, proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what leads clients to the local Azure that know Azure's own hosts alone."""
    monkeypatch.setenv("HTTPS_PROXY", proxies["https"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(local_cloud.ca_bundle))
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.mark.usefixtures("led_by_proxy")
def test_an_sdk_that_is_told_nothing_but_the_proxy_works(local_cloud: LocalCloud) -> None:
    account = local_cloud.account
    credential = ClientSecretCredential(account.tenant_id, account.client_id, account.client_secret)
    with credential, ResourceManagementClient(credential, account.subscription_id) as client:
        client.resource_groups.create_or_update("as-azure", {"location": "westeurope"})
        client.resource_groups.begin_delete("as-azure").result()


@pytest.mark.usefixtures("led_by_proxy")
def test_blobs_are_at_the_names_that_azure_has_for_them(local_cloud: LocalCloud) -> None:
    account = local_cloud.account
    group = f"https://management.azure.com/subscriptions/{account.subscription_id}/resourceGroups/g"
    url, version = f"{group}/providers/Microsoft.Storage/storageAccounts/golden", {"api-version": "2023-05-01"}
    credential = ClientSecretCredential(account.tenant_id, account.client_id, account.client_secret)
    with credential, requests.Session() as session:
        session.headers["Authorization"] = (
            f"Bearer {credential.get_token('https://management.azure.com/.default').token}"
        )
        session.put(group, params={"api-version": "2024-07-01"}, json={"location": "westeurope"}, timeout=30)
        body: Any = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
        session.put(url, params=version, json=body, timeout=30)
        endpoint = session.get(url, params=version, timeout=30).json()["properties"]["primaryEndpoints"]["blob"]
        assert endpoint == "https://golden.blob.core.windows.net/"
        key = session.post(f"{url}/listKeys", params=version, timeout=30).json()["keys"][0]["value"]
    with BlobServiceClient(endpoint, key) as service:
        service.create_container("vhds").upload_blob("a/b", b"hello")
        assert service.get_blob_client("vhds", "a/b").download_blob().readall() == b"hello"


@pytest.mark.parametrize("host", ["management.azure.com", "login.microsoftonline.com"])
def test_azures_hosts_describe_azure(local_cloud: LocalCloud, proxies: dict[str, str], host: str) -> None:
    url = f"https://{host}{METADATA}2022-09-01"
    described = requests.get(url, proxies=proxies, verify=str(local_cloud.ca_bundle), timeout=30).json()
    assert described["name"] == "AzureCloud"
    assert described["resourceManager"] == "https://management.azure.com/"
    assert described["authentication"]["loginEndpoint"] == "https://login.microsoftonline.com"
    assert described["suffixes"]["storage"] == "core.windows.net"


def test_nothing_that_is_not_azures_is_reached(local_cloud: LocalCloud, proxies: dict[str, str]) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        requests.get("https://example.com/", proxies=proxies, verify=str(local_cloud.ca_bundle), timeout=30)


@pytest.mark.parametrize(
    ("version", "is_list", "name"),
    [("2015-01-01", False, "graphEndpoint"), ("2019-05-01", True, "name"), ("2022-09-01", False, "name")],
)
def test_each_version_of_the_clouds_description_has_its_shape(
    local_cloud: LocalCloud, version: str, name: str, *, is_list: bool
) -> None:
    url = f"{local_cloud.endpoint}{METADATA}{version}"
    described = requests.get(url, verify=str(local_cloud.ca_bundle), timeout=30).json()
    assert isinstance(described, list) is is_list
    cloud: Any = described[0] if is_list else described
    assert name in cloud
    assert cloud["authentication"]["loginEndpoint"].rstrip("/") == local_cloud.endpoint


def test_a_certificate_from_before_azures_names_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        before.setattr("verified_images.emulator.certificates._SERVER_NAMES", names)
        old = ensure_certificates(tmp_path).server.read_bytes()
    authority = (tmp_path / "ca.pem").read_bytes()
    renewed = ensure_certificates(tmp_path)
    certificate = x509.load_pem_x509_certificate(renewed.server.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "management.azure.com" in found.get_values_for_type(x509.DNSName)
    assert renewed.server.read_bytes() != old
    assert renewed.ca_bundle.read_bytes() == authority
    assert ensure_certificates(tmp_path).server.read_bytes() == renewed.server.read_bytes()
