"""The requests that are sent to Azure Storage, in one golden file, and what becomes of its answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

from tests.cloud.scripted_arm import SUBSCRIPTION, Answer
from verified_images.cloud.blobs import Container, as_metadata, blob_id, container_of, find_metadata, open_container
from verified_images.cloud.disk_access import grant_reading, revoke_all
from verified_images.cloud.shared_key import SharedKeyPolicy
from verified_images.cloud.storage_accounts import find_account
from verified_images.errors import AccessDeniedError, CloudError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.cloud.operations import Arm
    from verified_images.cloud.place import Place

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/goldenvhds"
PROPERTIES = {"primaryEndpoints": {"blob": "https://goldenvhds.blob.core.windows.net/"}}
BLOB = "/vhds/web-osDisk.abc.vhd$"
DISK = "https://md-1.blob.storage.azure.net/abc/abcd?sv=2018-03-28&sig=xyz"


@pytest.fixture
def container(arm: Arm, scripted: ScriptedArm) -> Container:
    scripted.put(ACCOUNT, location="westeurope", kind="StorageV2", properties=PROPERTIES)
    key = base64.b64encode(b"key").decode()
    scripted.script("POST", "/listKeys$", Answer(200, {"keys": [{"keyName": "key1", "value": key}]}))
    found = find_account(arm, ACCOUNT)
    assert found is not None
    return open_container(arm, found, "vhds")


def to_storage(scripted: ScriptedArm) -> list[dict[str, Any]]:
    return [
        {
            "method": sent.method,
            "path": sent.path,
            "query": dict(sent.query),
            "headers": {
                name: value
                for name, value in sent.headers.items()
                if name.startswith("x-ms-") and name not in {"x-ms-date", "x-ms-client-request-id"}
            },
            "scheme": sent.headers["Authorization"].partition(":")[0],
        }
        for sent in scripted.sent
        if sent.path.startswith("/vhds")
    ]


def test_copying_and_deleting(
    container: Container, scripted: ScriptedArm, golden: Callable[[str, Any], None], place: Place
) -> None:
    name = "web-osDisk.abc.vhd"
    pending = {"Content-Length": "512", "x-ms-copy-id": "c1", "x-ms-copy-status": "pending"}
    scripted.script("HEAD", BLOB, Answer(200, None, {**pending, "x-ms-copy-progress": "256/512", "x-ms-meta-a": "b"}))
    assert container.exists()
    container.begin_copy(name, DISK, as_metadata(place.tags))
    facts = container.find(name)
    assert facts is not None
    assert (facts.status, facts.progress, facts.metadata) == ("pending", "256/512", {"a": "b"})
    container.set_metadata(name, {"vi_verdict": "verified"})
    container.delete(name)
    golden("blob-copy", to_storage(scripted))


def test_requests_are_signed_as_by_microsofts_own_client() -> None:
    headers = {"x-ms-version": "2021-12-02", "x-ms-copy-source": DISK, "x-ms-meta-A1": "1", "x-ms-meta-a_b": "a  b"}
    url = "https://goldenvhds.blob.core.windows.net/vhds/a%20b.vhd?comp=copy&copyid=a%2Bb"
    request: Any = PipelineRequest(HttpRequest("PUT", url, headers=headers), PipelineContext(None))
    key = base64.b64encode(b"key").decode()
    SharedKeyPolicy("goldenvhds", key).on_request(request)
    ours = request.http_request.headers.pop("Authorization")
    SharedKeyCredentialPolicy("goldenvhds", key).on_request(request)  # type: ignore[no-untyped-call]
    assert request.http_request.headers["Authorization"] == ours


def test_a_copy_whose_answer_was_lost_goes_on(container: Container, scripted: ScriptedArm) -> None:
    scripted.script("PUT", BLOB, Answer(409, b"<Error/>", {"x-ms-error-code": "PendingCopyOperation"}))
    container.begin_copy("web-osDisk.abc.vhd", DISK, {})
    leased = "<Error><Code>LeaseIdMissing</Code><Message>There is a lease.\nRequestId:1\nTime:2</Message></Error>"
    scripted.script("PUT", BLOB, Answer(409, leased.encode(), {"x-ms-error-code": "LeaseIdMissing"}))
    with pytest.raises(
        CloudError, match=r"copy to blob 'web-osDisk.abc.vhd' failed: LeaseIdMissing: There is a lease$"
    ):
        container.begin_copy("web-osDisk.abc.vhd", DISK, {})


def test_what_azure_storage_refuses_is_told_by_its_code(container: Container, scripted: ScriptedArm) -> None:
    refused = Answer(403, None, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    scripted.script("HEAD", BLOB, refused)
    with pytest.raises(AccessDeniedError, match=r"get blob 'web-osDisk.abc.vhd' failed: AuthorizationPermissionMis"):
        container.find("web-osDisk.abc.vhd")


def test_a_list_goes_on_to_its_last_page(container: Container, scripted: ScriptedArm) -> None:
    first = '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>a</Name><Metadata>'
    first += "<Vi_Run>x</Vi_Run></Metadata></Blob></Blobs><NextMarker>b</NextMarker></EnumerationResults>"
    second = "<EnumerationResults><Blobs><Blob><Name>b</Name></Blob></Blobs><NextMarker/></EnumerationResults>"
    scripted.script("GET", "/vhds$", Answer(200, second.encode()))
    scripted.script("GET", "/vhds$", Answer(200, first.encode()), times=1)
    assert list(container.list_metadata("")) == [("a", {"vi_run": "x"}), ("b", {})]
    assert scripted.sent[-1].query["marker"] == ["b"]


def test_a_blob_is_found_by_its_id(container: Container, arm: Arm, scripted: ScriptedArm) -> None:
    identifier = blob_id(ACCOUNT, "vhds", "a b/ü.vhd")
    found, name = container_of(arm, identifier)
    assert (found.url, name) == (container.url, "a b/ü.vhd")
    assert find_metadata(arm, identifier) is None
    scripted.forget(ACCOUNT)
    assert find_metadata(arm, identifier) is None


def test_access_to_disks_is_given_anew_where_somebody_has_it_and_taken_from_the_runs_own(
    arm: Arm, scripted: ScriptedArm
) -> None:
    disk = f"{GROUP}/providers/Microsoft.Compute/disks/d"
    in_use = {"error": {"code": "OperationNotAllowed", "message": "There is an active shared access signature."}}
    scripted.script("POST", "/beginGetAccess$", Answer(200, {"accessSAS": DISK}))
    scripted.script("POST", "/beginGetAccess$", Answer(409, in_use), times=1)
    scripted.script("POST", "/endGetAccess$", Answer(200))
    assert grant_reading(arm, "images", "d", 60.5) == DISK
    posted = [path.rpartition("/")[2] for method, path in scripted.methods() if method == "POST"]
    assert posted == ["beginGetAccess", "endGetAccess", "beginGetAccess"]
    assert scripted.bodies("POST", "beginGetAccess$")[0] == {"access": "Read", "durationInSeconds": 60}
    for name, state, run in (("d", "ActiveSAS", "mine"), ("e", "Reserved", "mine"), ("f", "ActiveSAS", "other")):
        scripted.put(f"{disk[:-1]}{name}", tags={"vi-run": run}, properties={"diskState": state})
    scripted.sent.clear()
    revoke_all(arm, "images", "mine")
    assert [path for _, path in scripted.methods()] == [f"{disk}/endGetAccess"]
