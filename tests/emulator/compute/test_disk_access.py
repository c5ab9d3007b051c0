from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal
from verified_images.emulator.vhd import FOOTER_SIZE, MEBIBYTE, make_footer, read_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.compute.estate import Estate

GIBIBYTE = 1024**3
UPLOAD_SIZE = 20 * MEBIBYTE + FOOTER_SIZE


@pytest.fixture(autouse=True)
def _revoke(estate: Estate) -> Iterator[None]:
    yield
    for group in (estate.compute.disks, estate.compute.snapshots):
        for each in list(group.list()):
            if each.disk_state in {"ActiveSAS", "ActiveUpload"}:
                estate.call("POST", f"{each.type.partition('/')[2]}/{each.name}/endGetAccess")


def _put(estate: Estate, kind: str, name: str, **properties: Any) -> None:  # noqa: ANN401 - JSON
    group: Any = getattr(estate.compute, kind)
    group.begin_create_or_update("g", name, {"location": LOCATION, "properties": properties}).result()


def _empty(estate: Estate, name: str = "d", size: int = 1) -> None:
    _put(estate, "disks", name, creationData={"createOption": "Empty"}, diskSizeGB=size)


def _grant(estate: Estate, name: str = "d", access: str = "Read", seconds: int = 600, kind: str = "disks") -> str:
    group: Any = getattr(estate.compute, kind)
    body = {"access": access, "durationInSeconds": seconds}
    return str(group.begin_grant_access("g", name, body).result().access_sas)


def _send(estate: Estate, method: str, url: str, content: bytes = b"", **headers: str) -> requests.Response:
    """Send what an azcopy would, without any other credential than the URL."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    verify = str(estate.azure.cloud.ca_bundle)
    return requests.request(method, url, data=content, headers=named, verify=verify, timeout=30)


def _download(estate: Estate, url: str) -> dict[int, bytes]:
    """Give the parts of a VHD that are not empty, by offset."""
    listing = _send(estate, "GET", f"{url}&comp=pagelist").text
    ranges = re.findall(r"<Start>(\d+)</Start><End>(\d+)</End>", listing)
    return {int(first): _send(estate, "GET", url, Range=f"bytes={first}-{last}").content for first, last in ranges}


def _upload(estate: Estate, url: str, parts: dict[int, bytes]) -> None:
    for start, content in parts.items():
        for at in range(0, len(content), 4 * MEBIBYTE):
            piece = content[at : at + 4 * MEBIBYTE]
            place = f"bytes={start + at}-{start + at + len(piece) - 1}"
            answer = _send(estate, "PUT", f"{url}&comp=page", piece, Range=place, x_ms_page_write="update")
            assert answer.status_code == 201


def _state(estate: Estate, name: str = "d") -> str:
    return str(estate.call("GET", f"disks/{name}").json()["properties"]["diskState"])


def test_a_disk_is_downloaded_as_a_fixed_vhd(estate: Estate) -> None:
    _empty(estate)
    url = _grant(estate)
    assert _state(estate) == "ActiveSAS"
    head = _send(estate, "HEAD", url)
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) == GIBIBYTE + FOOTER_SIZE
    assert head.headers["x-ms-blob-type"] == "PageBlob"
    footer = _send(estate, "GET", url, x_ms_range=f"bytes={GIBIBYTE}-", If_Match=head.headers["ETag"])
    assert footer.status_code == 206
    assert footer.headers["Content-Range"] == f"bytes {GIBIBYTE}-{GIBIBYTE + 511}/{GIBIBYTE + 512}"
    assert read_size(footer.content) == GIBIBYTE
    assert _send(estate, "GET", url, Range=f"bytes={GIBIBYTE + 512}-").status_code == 416
    assert _send(estate, "GET", url, If_Match='"0x1"').headers["x-ms-error-code"] == "ConditionNotMet"


def test_an_access_that_was_revoked_or_has_expired_is_refused_as_by_azure_storage(estate: Estate) -> None:
    _empty(estate)
    url = _grant(estate)
    forged = re.sub(r"sig=[^&]+", "sig=forged", url)
    answer = _send(estate, "GET", forged)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/xml")
    assert "<Code>AuthenticationFailed</Code>" in answer.text
    estate.compute.disks.begin_revoke_access("g", "d").result()
    assert _send(estate, "GET", url).headers["x-ms-error-code"] == "AuthenticationFailed"
    assert _state(estate) == "Unattached"
    assert estate.files("vhds") == []
    url = _grant(estate, seconds=1)
    time.sleep(1.05)
    assert _send(estate, "HEAD", url).status_code == 403
    assert _state(estate) == "Unattached"


def test_what_a_machine_wrote_comes_back_from_an_uploaded_vhd(estate: Estate) -> None:
    disk = estate.make_machine().storage_profile.os_disk.name
    estate.run("echo kept > /root/note")
    status, code, message = refusal(lambda: _grant(estate, disk))
    assert (status, code) == (409, "Conflict")
    machine = estate.id("virtualMachines", "vm")
    assert message == f"Access not permitted because disk {disk} is currently attached to running VM {machine}."
    estate.compute.virtual_machines.begin_deallocate("g", "vm").result()
    parts = _download(estate, _grant(estate, disk))
    blocked = refusal(lambda: estate.compute.virtual_machines.begin_start("g", "vm").result())
    assert "There is an active shared access signature outstanding for disk" in blocked[2]
    estate.compute.disks.begin_revoke_access("g", disk).result()
    assert _state(estate, disk) == "Reserved"
    creation = {"createOption": "Upload", "uploadSizeBytes": 30 * GIBIBYTE + FOOTER_SIZE}
    _put(estate, "disks", "up", creationData=creation, osType="Linux", hyperVGeneration="V2")
    url = _grant(estate, "up", "Write")
    assert _state(estate, "up") == "ActiveUpload"
    _upload(estate, url, parts)
    estate.compute.disks.begin_revoke_access("g", "up").result()
    assert _state(estate, "up") == "Unattached"
    body = estate.machine_body(estate.make_nic("other"))
    del body["properties"]["osProfile"]
    managed = {"id": estate.id("disks", "up")}
    storage = {"osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": managed}}
    body["properties"]["storageProfile"] = storage
    estate.compute.virtual_machines.begin_create_or_update("g", "again", body).result()
    assert "[stdout]\nkept\n" in estate.run("cat /root/note", "again")


def test_pages_are_written_whole_and_checked(estate: Estate) -> None:
    _put(estate, "disks", "up", creationData={"createOption": "Upload", "uploadSizeBytes": UPLOAD_SIZE})
    assert _state(estate, "up") == "ReadyToUpload"
    assert refusal(lambda: _grant(estate, "up", "Read"))[0] == 409
    url = f"{_grant(estate, 'up', 'Write')}&comp=page"
    page, place = b"x" * 512, "bytes=512-1023"
    for expected, content, headers in (
        ("InvalidPageRange", page, {"Range": "bytes=1-512", "x-ms-page-write": "update"}),
        ("InvalidPageRange", page, {"Range": f"bytes={UPLOAD_SIZE}-{UPLOAD_SIZE + 511}", "x-ms-page-write": "update"}),
        ("InvalidHeaderValue", page[:10], {"Range": place, "x-ms-page-write": "update"}),
        ("InvalidHeaderValue", page, {"Range": place, "x-ms-page-write": "append"}),
        ("MissingRequiredHeader", page, {"x-ms-page-write": "update"}),
        ("Md5Mismatch", page, {"Range": place, "x-ms-page-write": "update", "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
    ):
        assert _send(estate, "PUT", url, content, **headers).headers["x-ms-error-code"] == expected
    digest = base64.b64encode(hashlib.md5(page, usedforsecurity=False).digest()).decode()
    options = {"Range": place, "x-ms-page-write": "update", "Content-MD5": digest}
    assert _send(estate, "PUT", url, page, **options).status_code == 201
    reading = url.removesuffix("&comp=page")
    assert _send(estate, "GET", reading, Range="bytes=510-514").content == b"\0\0xxx"
    assert _send(estate, "PUT", url, b"", **{"Range": place, "x-ms-page-write": "clear"}).status_code == 201
    assert _send(estate, "GET", reading, Range="bytes=510-514").content == b"\0\0\0\0\0"


def test_what_is_no_vhd_does_not_become_a_disk(estate: Estate) -> None:
    _put(estate, "disks", "up", creationData={"createOption": "Upload", "uploadSizeBytes": UPLOAD_SIZE})
    url = _grant(estate, "up", "Write")
    _upload(estate, url, {0: b"data" * 128})
    message = refusal(lambda: estate.compute.disks.begin_revoke_access("g", "up").result())[2]
    assert "Disk is expected to have cookie value 'conectix'" in message
    assert _state(estate, "up") == "ReadyToUpload"
    url = _grant(estate, "up", "Write")
    _upload(estate, url, {0: b"data" * 128, UPLOAD_SIZE - FOOTER_SIZE: make_footer(20 * MEBIBYTE)})
    estate.compute.disks.begin_revoke_access("g", "up").result()
    parts = _download(estate, _grant(estate, "up"))
    assert parts[0].startswith(b"data" * 128)


def test_a_disk_with_an_access_is_neither_deleted_nor_granted_twice(estate: Estate) -> None:
    _empty(estate)
    _grant(estate)
    for call in (lambda: _grant(estate), lambda: estate.compute.disks.begin_delete("g", "d")):
        status, code, message = refusal(call)
        assert (status, code) == (409, "OperationNotAllowed")
        assert "There is an active shared access signature outstanding for disk d." in message
    assert refusal(lambda: _grant(estate, access="Write"))[0] == 409


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"durationInSeconds": 600}, "grantAccessData.access"),
        ({"access": "Read"}, "grantAccessData.durationInSeconds"),
        ({"access": "Read", "durationInSeconds": 0}, "grantAccessData.durationInSeconds"),
        ({"access": "Peek", "durationInSeconds": 600}, "grantAccessData.access"),
        ({"access": "Read", "durationInSeconds": 600, "fileFormat": "VHDX"}, "grantAccessData.fileFormat"),
    ],
)
def test_an_access_is_asked_for_in_full(estate: Estate, body: dict[str, Any], target: str) -> None:
    _empty(estate)
    answer = estate.call("POST", "disks/d/beginGetAccess", body)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)


def test_a_snapshot_is_downloaded_and_imported_as_disk_image_and_version(estate: Estate) -> None:
    estate.make_generalized()
    disk = estate.compute.virtual_machines.get("g", "vm").storage_profile.os_disk.managed_disk.id
    _put(estate, "snapshots", "s", creationData={"createOption": "Copy", "sourceResourceId": disk}, incremental=True)
    url = _grant(estate, "s", kind="snapshots")
    assert estate.compute.snapshots.get("g", "s").disk_state == "ActiveSAS"
    account = f"{estate.group_id}/providers/Microsoft.Storage/storageAccounts/a"
    creation = {"createOption": "Import", "sourceUri": url, "storageAccountId": account}
    _put(estate, "disks", "imported", creationData=creation, osType="Linux", hyperVGeneration="V2")
    made = estate.compute.disks.get("g", "imported")
    assert (made.disk_size_gb, made.os_type) == (30, "Linux")
    assert "sig=" not in str(made.creation_data.source_uri)
    os_disk = {"osType": "Linux", "osState": "Generalized", "blobUri": url}
    profile = {"storageProfile": {"osDisk": os_disk}, "hyperVGeneration": "V2"}
    _put(estate, "images", "image", **profile)
    reference = {"id": estate.id("images", "image")}
    storage = {"imageReference": reference, "osDisk": {"createOption": "FromImage"}}
    estate.make_machine("from-blob", storageProfile=storage)
    estate.make_definition()
    body = estate.version_body("")
    body["properties"]["storageProfile"] = {"osDiskImage": {"source": {"uri": url, "storageAccountId": account}}}
    versions = estate.compute.gallery_image_versions
    version = versions.begin_create_or_update("g", "gallery", "definition", "1.0.0", body).result()
    assert version.storage_profile.os_disk_image.size_in_gb == 30
    estate.compute.snapshots.begin_revoke_access("g", "s").result()
    refused = refusal(lambda: _put(estate, "disks", "late", creationData=creation, osType="Linux"))
    assert refused[:2] == (400, "InvalidParameter")


def test_the_vhd_of_an_access_is_removed_when_it_ends(estate: Estate) -> None:
    _empty(estate)
    _grant(estate)
    assert len(estate.files("vhds")) == 1
    estate.compute.disks.begin_revoke_access("g", "d").result()
    estate.compute.disks.begin_delete("g", "d").result()
    assert estate.files("vhds") == []
