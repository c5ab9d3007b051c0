"""The VM extensions that can be had: publisher, type, versions, and what each does in a guest.

Source: Azure, "Virtual machine extensions and features for Linux"; the lists at
``.../publishers/P/artifacttypes/vmextension/types``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.images.offers import recorded
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from verified_images.emulator.cloud import Cloud

_BASE = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers/{publisher}"
_TYPES = _BASE + "/artifacttypes/vmextension/types"
_WITH_ROLLBACK, _WITH_ARCHITECTURE = "2018-04-01", "2021-03-01"  # the first api-versions that tell these, as recorded


@dataclass(frozen=True, slots=True)
class Handler:
    """One extension; ``versions`` are complete (``2.1.10``), oldest first."""

    publisher: str
    type: str
    versions: tuple[str, ...]
    os_type: str = "Linux"

    @property
    def name(self) -> str:
        """What the guest's agent calls it."""
        return f"{self.publisher}.{self.type}"

    def resolve(self, wanted: str, *, newer_minor: bool) -> str:
        """Give the complete version that a request for ``wanted`` (major.minor) gets.

        Raises:
            ArmError: 400 ArtifactVersionNotFound.
        """
        major = wanted.split(".", maxsplit=1)[0]
        for version in reversed(self.versions):
            parts = version.split(".")
            same_minor = version == wanted or version.startswith(f"{wanted}.")
            if same_minor or (newer_minor and parts[0] == major and _minor(version) >= _minor(wanted)):
                return version
        raise ArmError(
            400,
            "ArtifactVersionNotFound",
            f"No version found in the artifact repository that satisfies the requested version '{wanted}' for VM "
            f"extension with publisher '{self.publisher}' and type '{self.type}'.",
        )


def _minor(version: str) -> int:
    part = [*version.split("."), "0"][1]
    return int(part) if part.isdecimal() else 0


_WRITTEN = (
    Handler("Microsoft.Azure.Extensions", "CustomScript", ("2.0.7", "2.1.10", "2.1.13")),
    Handler("Microsoft.OSTCExtensions", "VMAccessForLinux", ("1.4.7.1", "1.5.11", "1.5.16")),
    Handler("Microsoft.Azure.ActiveDirectory", "AADSSHLoginForLinux", ("1.0.1588.3", "1.0.3046.1")),
    Handler("Microsoft.ManagedServices", "ApplicationHealthLinux", ("1.0.5", "2.0.14")),
    Handler("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", ("1.28.11", "1.33.1")),
    Handler("Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentLinux", ("1.4.2798.3", "1.4.3320.1")),
    Handler("Microsoft.Azure.Security.LinuxAttestation", "GuestAttestation", ("1.0.0.1017", "1.0.0.2002")),
    Handler("Microsoft.GuestConfiguration", "ConfigurationforLinux", ("1.26.33", "1.26.60")),
    Handler("Microsoft.OSTCExtensions", "CustomScriptForLinux", ("1.4.1.0", "1.5.5")),
    Handler("Microsoft.Compute", "CustomScriptExtension", ("1.10.15", "1.10.20"), "Windows"),
    Handler("Microsoft.Compute", "VMAccessAgent", ("2.3", "2.4.10"), "Windows"),
    Handler("Microsoft.Compute", "BGInfo", ("2.2.5",), "Windows"),
    Handler("Microsoft.ManagedServices", "ApplicationHealthWindows", ("1.0.8", "2.0.14"), "Windows"),
    Handler("Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentWindows", ("1.4.2366.0", "1.4.3320.1"), "Windows"),
)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _with_recorded(written: tuple[Handler, ...]) -> Iterator[Handler]:
    """Give the extensions written here with the versions recorded of them, then those that are only recorded."""
    rest = {
        (entry["publisher"].lower(), entry["type"].lower()): Handler(**{**entry, "versions": tuple(entry["versions"])})
        for entry in recorded("extensions")
    }
    for handler in written:
        more = rest.pop((handler.publisher.lower(), handler.type.lower()), handler).versions
        yield replace(handler, versions=tuple(sorted({*more, *handler.versions}, key=_order)))
    yield from rest.values()


HANDLERS = tuple(_with_recorded(_WRITTEN))


def find_handler(publisher: str, kind: str, version: str) -> Handler:
    """Give an extension by publisher and type, without regard to case.

    Raises:
        ArmError: 404 ArtifactNotFound.
    """
    for handler in HANDLERS:
        if (handler.publisher.lower(), handler.type.lower()) == (publisher.lower(), kind.lower()):
            return handler
    raise ArmError(
        404,
        "ArtifactNotFound",
        f"Extension with publisher '{publisher}', type '{kind}', and type handler version '{version}' could not be "
        "found in the extension repository.",
    )


def routes() -> Iterator[Route]:
    """Give the URL table of the lists of extensions."""
    yield Route("GET", _TYPES, _list_types)
    yield Route("GET", _TYPES + "/{type}/versions", _list_versions)
    yield Route("GET", _TYPES + "/{type}/versions/{version}", _get_version)


def _of_publisher(request: Request) -> list[Handler]:
    wanted = request.parameters["publisher"].lower()
    return [handler for handler in HANDLERS if handler.publisher.lower() == wanted]


def _entry(request: Request, handler: Handler, suffix: str, name: str) -> dict[str, object]:
    place = request.parameters["location"]
    base = f"/Subscriptions/{request.parameters['subscription']}/Providers/Microsoft.Compute/Locations/{place}"
    path = f"{base}/Publishers/{handler.publisher}/ArtifactTypes/VMExtension/Types/{suffix}"
    return {"location": place, "name": name, "id": path}


def _list_types(cloud: Cloud, request: Request) -> Answer:
    del cloud
    return Answer(200, [_entry(request, each, each.type, each.type) for each in _of_publisher(request)])


def _find(request: Request) -> Handler:
    wanted = request.parameters["type"].lower()
    for handler in _of_publisher(request):
        if handler.type.lower() == wanted:
            return handler
    raise ArmError(404, "NotFound", f"Artifact: VMExtension was not found: {request.parameters['type']}.")


def _chosen(request: Request, versions: Iterable[str]) -> list[str]:
    chosen = sorted(versions, key=_order)
    if request.query.get("$orderby", "").lower() == "name desc":
        chosen.reverse()
    top = request.query.get("$top", "")
    return chosen[: int(top)] if top.isdecimal() else chosen


def _list_versions(cloud: Cloud, request: Request) -> Answer:
    del cloud
    found = _find(request)
    versions = _chosen(request, found.versions)
    return Answer(200, [_entry(request, found, f"{found.type}/Versions/{each}", each) for each in versions])


def _get_version(cloud: Cloud, request: Request) -> Answer:
    del cloud
    found, version = _find(request), request.parameters["version"]
    if version not in found.versions:
        raise ArmError(404, "NotFound", f"Artifact: VMExtension was not found: {found.name}:{version}.")
    properties: dict[str, object] = {
        "operatingSystem": found.os_type,
        "computeRole": "IaaS",
        "vmScaleSetEnabled": False,
        "supportsMultipleExtensions": False,
    }
    if request.api_version >= _WITH_ROLLBACK:
        properties |= {"rollbackSupported": False, "isJsonExtension": True}
    if request.api_version >= _WITH_ARCHITECTURE:
        properties |= {"supportsMigration": False, "isInternalExtension": False, "architecture": ["x64"]}
    entry = _entry(request, found, f"{found.type}/Versions/{version}", version)
    return Answer(200, {"properties": properties, **entry})
