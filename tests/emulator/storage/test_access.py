"""Who may read and write blobs: with keys, with signatures, with roles."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from azure.identity import ClientSecretCredential
from azure.storage.blob import (
    AccountSasPermissions,
    BlobSasPermissions,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from tests.emulator.storage.conftest import NAME
from tests.emulator.storage.test_blobs import refused
from verified_images.emulator.identity.applications import NewApplication, RoleOnScope
from verified_images.emulator.storage.shared_key import sign

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from tests.emulator.storage.conftest import Storage

IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)
MISMATCH = (403, "AuthorizationPermissionMismatch")
FAILED = (403, "AuthenticationFailed")


@pytest.fixture
def blob(vhds: ContainerClient) -> str:
    vhds.upload_blob("a.txt", b"hello")
    return str(vhds.get_blob_client("a.txt").url)


def test_a_key_that_was_made_anew_does_not_sign_any_more(storage: Storage, vhds: ContainerClient) -> None:
    old = storage.key
    with storage.service(old) as service:
        answer = storage.call("POST", "/regenerateKey", {"keyName": "key1"})
        new = answer.json()["keys"][0]["value"]
        assert new != old
        assert refused(lambda: list(service.list_containers())) == FAILED
    with storage.service(new) as service:
        assert [each.name for each in service.list_containers()] == ["vhds"]
    # The fixture goes on with the key that it was given.
    vhds.credential.account_key = new


def test_an_account_can_do_without_keys(storage: Storage, blob: str) -> None:
    signature = _sas(storage, BlobSasPermissions(read=True))
    with storage.service() as service:
        storage.call("PATCH", body={"properties": {"allowSharedKeyAccess": False}})
        assert refused(lambda: list(service.list_containers())) == (403, "KeyBasedAuthenticationNotPermitted")
        assert _code(storage, "GET", f"{blob}?{signature}") == (403, "KeyBasedAuthenticationNotPermitted")
        storage.call("PATCH", body={"properties": {"allowSharedKeyAccess": True}})
        assert [each.name for each in service.list_containers()] == ["vhds"]


def test_nobody_reads_without_a_permission(storage: Storage, blob: str) -> None:
    answer = storage.raw("GET", blob)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    assert "resource_id=https://storage.azure.com" in answer.headers["WWW-Authenticate"]
    forged = storage.raw("GET", blob, Authorization=f"SharedKey {NAME}:AAAA", x_ms_version="2021-12-02")
    assert forged.headers["x-ms-error-code"] == "AuthenticationFailed"


@pytest.mark.parametrize("version", ["2018-03-28", "2019-12-12", None])
def test_a_signature_of_a_blob_is_for_that_blob_and_what_it_says(
    storage: Storage, blob: str, version: str | None
) -> None:
    signature = _sign(storage, version) if version else _sas(storage, BlobSasPermissions(read=True))
    assert storage.raw("GET", f"{blob}?{signature}").content == b"hello"
    assert _code(storage, "DELETE", f"{blob}?{signature}") == MISMATCH
    assert _code(storage, "GET", f"{blob}.other?{signature}") == FAILED
    assert _code(storage, "GET", f"{blob}?{signature.replace('sp=r', 'sp=rw')}") == FAILED


def test_a_signature_holds_for_its_time_and_its_addresses(storage: Storage, blob: str) -> None:
    reading, now = BlobSasPermissions(read=True), datetime.now(UTC)
    past = _sas(storage, reading, expiry=now - timedelta(seconds=1))
    future = _sas(storage, reading, start=now + timedelta(minutes=1))
    elsewhere = _sas(storage, reading, ip="203.0.113.1-203.0.113.9")
    assert [_code(storage, "GET", f"{blob}?{each}") for each in (past, future, elsewhere)] == [
        FAILED,
        FAILED,
        (403, "AuthorizationSourceIPMismatch"),
    ]
    here = _sas(storage, reading, start=now - timedelta(minutes=1), ip="127.0.0.1")
    assert storage.raw("GET", f"{blob}?{here}").status_code == 200


def test_a_signature_of_a_container_is_for_its_blobs(storage: Storage, vhds: ContainerClient, blob: str) -> None:
    permission = ContainerSasPermissions(list=True, read=True)
    given: Any = {"account_key": storage.key, "permission": permission, "expiry": IN_AN_HOUR}
    signature = generate_container_sas(NAME, "vhds", **given)
    assert storage.raw("GET", f"{blob}?{signature}").content == b"hello"
    assert "<Name>a.txt</Name>" in storage.raw("GET", f"{vhds.url}?restype=container&comp=list&{signature}").text
    assert _code(storage, "PUT", f"{blob}?{signature}") == MISMATCH


def test_a_signature_of_the_account_is_for_kinds_of_resources(storage: Storage, blob: str) -> None:
    permission = AccountSasPermissions(read=True, list=True, delete=True)
    given: Any = {"account_key": storage.key, "permission": permission, "expiry": IN_AN_HOUR}
    signature = generate_account_sas(NAME, resource_types=ResourceTypes(service=True, object=True), **given)
    assert storage.raw("GET", f"{blob}?{signature}").content == b"hello"
    assert "<Name>vhds</Name>" in storage.raw("GET", f"{storage.endpoint}?comp=list&{signature}").text
    container = f"{storage.endpoint}vhds?restype=container&{signature}"
    assert _code(storage, "GET", container) == (403, "AuthorizationResourceTypeMismatch")


def test_roles_on_data_are_what_a_token_is_good_for(storage: Storage, blob: str) -> None:
    cloud = storage.cloud
    reader = NewApplication(name="reader", roles=(RoleOnScope(role="Storage Blob Data Reader"),))
    with storage.service(_credential(storage, *cloud.add_application(reader))) as service:
        assert service.get_blob_client("vhds", "a.txt").download_blob().readall() == b"hello"
        assert [each.name for each in service.list_containers()] == ["vhds"]
        assert refused(lambda: service.get_blob_client("vhds", "b").upload_blob(b"")) == MISMATCH
        assert refused(lambda: service.create_container("mine")) == MISMATCH
    contributor = NewApplication(name="writer", roles=(RoleOnScope(role="Storage Blob Data Contributor"),))
    with storage.service(_credential(storage, *cloud.add_application(contributor))) as service:
        service.get_blob_client("vhds", "a.txt").upload_blob(b"changed", overwrite=True)
        service.create_container("mine").delete_container()
    # To own a subscription is no role on the data in it.
    with storage.service(storage.azure.credential) as service:
        assert refused(lambda: service.get_blob_client("vhds", "a.txt").download_blob()) == MISMATCH
    of_arm = str(storage.session.headers["Authorization"])
    answer = storage.raw("GET", blob, Authorization=of_arm)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")


def _credential(storage: Storage, application: Any, secret: str) -> ClientSecretCredential:  # noqa: ANN401
    return ClientSecretCredential(
        storage.cloud.account.tenant_id,
        application.client_id,
        secret,
        authority=storage.cloud.endpoint,
        disable_instance_discovery=True,
        connection_verify=str(storage.cloud.ca_bundle),
    )


def _sas(storage: Storage, permission: BlobSasPermissions, **more: Any) -> str:  # noqa: ANN401 - options of the SDK
    given = {"account_key": storage.key, "permission": permission, "expiry": IN_AN_HOUR, **more}
    return str(generate_blob_sas(NAME, "vhds", "a.txt", **given))


def _sign(storage: Storage, version: str) -> str:
    """Give the signature of a blob as clients of an earlier version make it."""
    expiry = IN_AN_HOUR.strftime("%Y-%m-%dT%H:%M:%SZ")
    with_resource = ["b", ""] if version >= "2018-11-09" else []
    lines = ["r", "", expiry, f"/blob/{NAME}/vhds/a.txt", "", "", "https", version, *with_resource, "", "", "", "", ""]
    signature = sign(base64.b64decode(storage.key), "\n".join(lines))
    return urlencode({"sv": version, "sr": "b", "sp": "r", "se": expiry, "spr": "https", "sig": signature})


def _code(storage: Storage, method: str, url: str) -> tuple[int, str]:
    answer = storage.raw(method, url)
    return answer.status_code, answer.headers["x-ms-error-code"]
