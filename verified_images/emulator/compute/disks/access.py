"""Access to the bytes of disks and snapshots: a URL for a while, under which a VHD is downloaded or uploaded.

Source: Azure OpenAPI, DiskRP, BeginGetAccess and EndGetAccess; recorded exchanges; quoted errors.
"""

from __future__ import annotations

import os
import secrets
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.disks.frozen_files import files_of, freeze_own, import_vhd, new_vhd_path
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.operations import DISKS, Work
from verified_images.emulator.routing import Route
from verified_images.emulator.storage.blob_sources import find_source
from verified_images.emulator.storage.disk_blobs import PATTERN, permitted_file
from verified_images.emulator.storage.page_blobs import PageBlob
from verified_images.emulator.storage.storage_errors import StorageError
from verified_images.emulator.vhd import VhdError, read_size_of_file
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.store import Resource

_MOST_SECONDS = 60 * 24 * 3600
_SAS_VERSION = "2018-03-28"
_UPLOADABLE = {"ReadyToUpload"}


def routes(kind: Kind) -> Iterator[Route]:
    """Give the routes of the calls that begin and end access to a resource of a type."""
    item = kind.collection_pattern() + "/{name}"

    def begin(cloud: Cloud, request: Request) -> Answer:
        return _begin(cloud, request, kind)

    def end(cloud: Cloud, request: Request) -> Answer:
        return _end(cloud, request, kind)

    yield Route("POST", item + "/beginGetAccess", begin)
    yield Route("POST", item + "/endGetAccess", end)


def blob_routes() -> Iterator[Route]:
    """Give the routes of the VHDs, whose URL is the permission."""
    for method in ("GET", "HEAD", "PUT"):
        yield Route(method, PATTERN, _serve, anonymous=True)


def _begin(cloud: Cloud, request: Request, kind: Kind) -> Answer:
    with cloud.store.lock:
        resource = kind.find(cloud, request.id)
        level, seconds = _read_grant(request)
        expire(cloud, resource)
        _check_grantable(cloud, kind.find(cloud, request.id), level)
    return _start(cloud, request, resource, "beginGetAccess", lambda: _grant(cloud, request, level, seconds))


def _end(cloud: Cloud, request: Request, kind: Kind) -> Answer:
    resource = kind.find(cloud, request.id)
    return _start(cloud, request, resource, "endGetAccess", lambda: revoke(cloud, resource.id))


def _start(cloud: Cloud, request: Request, resource: Resource, action: str, work: Any) -> Answer:  # noqa: ANN401
    started = cloud.operations.start(
        request,
        f"{resource.id.type}/{action}/action",
        resource.location,
        Work(work, on=resource.id),
        track=DISKS,
        slow=True,
    )
    return Answer(202, None, started.status_header | started.location_header)


def _read_grant(request: Request) -> tuple[str, int]:
    given = request.json()
    level = {"read": "Read", "write": "Write"}.get(str(given.get("access") or "").lower())
    if not given.get("access"):
        raise missing_parameter("grantAccessData.access")
    if level is None:
        raise invalid_parameter(
            "grantAccessData.access", f"The value '{given['access']}' of parameter 'access' is not 'Read' or 'Write'."
        )
    seconds = given.get("durationInSeconds")
    if seconds is None:
        raise missing_parameter("grantAccessData.durationInSeconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= _MOST_SECONDS:
        raise invalid_parameter(
            "grantAccessData.durationInSeconds",
            f"The value '{seconds}' of parameter 'durationInSeconds' is out of range. The value must be between '1' "
            f"and '{_MOST_SECONDS}', inclusive.",
        )
    if str(given.get("fileFormat") or "VHD").upper() != "VHD":
        raise invalid_parameter("grantAccessData.fileFormat", "The local Azure gives access to a disk as a VHD only.")
    if given.get("getSecureVMGuestStateSAS"):
        raise invalid_parameter(
            "grantAccessData.getSecureVMGuestStateSAS", "The local Azure keeps no VM guest state beside a disk."
        )
    return level, seconds


def _check_grantable(cloud: Cloud, resource: Resource, level: str) -> None:
    state, name = resource.properties.get("diskState"), resource.id.name
    if resource.state == "Deleting":
        raise ArmError(409, "OperationNotAllowed", f"Disk {name} is being deleted.")
    owner = cloud.store.find(resource.body.get("managedBy") or "")
    if owner and power_of(cloud, owner) != "deallocated":
        raise ArmError(
            409, "Conflict", f"Access not permitted because disk {name} is currently attached to running VM {owner.id}."
        )
    if resource.properties.get("networkAccessPolicy") == "DenyAll":
        raise ArmError(
            409, "OperationNotAllowed", f"Access to disk {name} is denied by its networkAccessPolicy 'DenyAll'."
        )
    if resource.hidden.get("access"):
        raise active_access(name)
    if level == "Write" and state not in _UPLOADABLE:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Write access is only given to a disk that was created with createOption 'Upload'; disk {name} is in "
            f"state {state}.",
        )
    if level == "Read" and state in _UPLOADABLE:
        raise ArmError(409, "OperationNotAllowed", f"Disk {name} in state {state} can only be given Write access.")


def active_access(name: str) -> ArmError:
    """Make the 409 for what is not possible while somebody has access to a disk."""
    return ArmError(
        409,
        "OperationNotAllowed",
        f"There is an active shared access signature outstanding for disk {name}. Call EndGetAccess before attaching, "
        "copying or deleting the disk.",
    )


def check_no_access(cloud: Cloud, disk: Resource) -> None:
    """Refuse to use or delete a disk to which somebody has access.

    Raises:
        ArmError: 409: somebody has.
    """
    expire(cloud, disk)
    found = cloud.store.find(disk.id)
    if found and found.hidden.get("access"):
        raise active_access(disk.id.name)


def check_usable(cloud: Cloud, disk: Resource) -> None:
    """Refuse to attach a disk to which somebody has access, or whose content has not been uploaded.

    Raises:
        ArmError: 409: it is not to be attached.
    """
    check_no_access(cloud, disk)
    if disk.properties.get("diskState") in _UPLOADABLE:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Disk {disk.id.name} cannot be attached in state {disk.properties['diskState']}: its content has not been "
            "uploaded.",
        )


def _grant(cloud: Cloud, request: Request, level: str, seconds: int) -> dict[str, Any]:
    vhd = new_vhd_path(cloud)
    access = {
        "id": secrets.token_hex(6),
        "container": secrets.token_hex(6),
        "policy": str(uuid.uuid4()),
        "signature": secrets.token_urlsafe(32),
        "level": level,
        "expires": time.time() + seconds,
        "file": str(vhd),
    }
    with cloud.store.changing(request.id) as found:
        if found is None:
            raise ArmError(404, "NotFound", f"The resource '{request.id}' was deleted.")
        _check_grantable(cloud, found, level)
        access["before"] = found.properties["diskState"]
        found.hidden["access"] = access
        found.properties["diskState"] = "ActiveUpload" if level == "Write" else "ActiveSAS"
        found.properties["timeCreated"] = found.properties.get("timeCreated") or datetime.now(UTC).isoformat()
    try:
        _prepare(cloud, found, vhd)
    except BaseException:
        _let_go(cloud, request.id)
        raise
    query = f"sv={_SAS_VERSION}&sr=b&si={access['policy']}&sig={quote(str(access['signature']), safe='')}"
    path = PATTERN.format(account=f"md-{access['id']}", container=access["container"])
    return {"accessSAS": f"{request.base_url}{path}?{query}"}


def _prepare(cloud: Cloud, resource: Resource, vhd: Path) -> None:
    """Write the VHD that is to be downloaded, or an empty one that is to be uploaded to."""
    if size := resource.hidden.get("upload"):
        with vhd.open("xb"):
            os.truncate(vhd, size)
        vhd.chmod(0o600)
        return
    if "path" in resource.hidden:
        freeze_own(cloud, resource.id)
    found = cloud.store.find(resource.id)
    cloud.hypervisor.export_image(Path(files_of(found or resource)[0]), vhd)


def expire(cloud: Cloud, resource: Resource) -> None:
    """End an access whose time is up; what was uploaded until then is not taken."""
    access = resource.hidden.get("access")
    if access and access["expires"] < time.time():
        _let_go(cloud, resource.id)


def revoke(cloud: Cloud, identifier: ResourceId) -> None:
    """End the access to a disk or snapshot; what was uploaded becomes the disk.

    Raises:
        ArmError: 400 InvalidVhd: what was uploaded is no VHD; the access has ended, and another upload may begin.
    """
    found = cloud.store.find(identifier)
    access = found.hidden.get("access") if found else None
    if found is None or access is None:
        return
    try:
        if access["level"] == "Write":
            _take_upload(cloud, found, Path(access["file"]))
    finally:
        _let_go(cloud, identifier)


def _take_upload(cloud: Cloud, disk: Resource, vhd: Path) -> None:
    try:
        read_size_of_file(vhd)
    except VhdError as error:
        raise ArmError(400, "InvalidVhd", f"Disk {disk.id.name} was not uploaded. {error}") from error
    import_vhd(cloud, vhd, disk.id)
    with cloud.store.changing(disk.id) as found:
        if found is None:
            return
        size = found.properties["diskSizeBytes"]
        base = Path(files_of(found)[0])
        cloud.hypervisor.create_disk(Path(found.hidden["path"]), base=base, size_bytes=size)
        found.hidden |= {"made": True, "upload": 0}
        found.hidden["access"]["before"] = "Unattached"


def _let_go(cloud: Cloud, identifier: ResourceId) -> None:
    with cloud.store.changing(identifier) as found:
        if found is None or not found.hidden.get("access"):
            return
        access = found.hidden.pop("access")
        found.properties["diskState"] = access["before"]
    Path(access["file"]).unlink(missing_ok=True)


def forget_access(cloud: Cloud, resource: Resource) -> None:
    """Remove the VHD of a disk or snapshot that goes away."""
    _let_go(cloud, resource.id)


def _serve(cloud: Cloud, request: Request) -> Answer:
    try:
        signature = request.query.get("sig", "")
        blob = PageBlob(permitted_file(cloud, request.parameters, signature, writes=request.method == "PUT"))
        return blob.write(request) if request.method == "PUT" else blob.read(request)
    except StorageError as error:
        return error.answer()


def find_blob(cloud: Cloud, request: Request, url: str) -> Path:
    """Give the file of a blob that the local Azure serves, by its URL.

    The blobs of a storage account need no signature: who may make disks may read them (source: Azure Storage,
    "creationData.storageAccountId").

    Raises:
        ArmError: 400: it serves no such blob, or the signature is not good any more.
    """
    try:
        return find_source(cloud, request.base_url, url, client=request.client, is_trusted=True).path
    except StorageError as error:
        raise ArmError(
            400,
            "InvalidParameter",
            f"Disk or image source '{url.partition('?')[0]}' cannot be read: it must be a blob of this local Azure. "
            f"{error.message}",
            target="sourceUri",
        ) from error
