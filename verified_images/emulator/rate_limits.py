"""The headers in which Azure tells how many calls are left; here they never run out. Source: recorded answers."""

from __future__ import annotations

import re

_SUBSCRIPTION = {
    "GET": {"global-reads": "3749"},
    "HEAD": {"global-reads": "3749"},
    "DELETE": {"deletes": "199", "global-deletes": "2999"},
}
_WRITES = {"writes": "199", "global-writes": "2999"}
_BATCHED = "VMScaleSetBatchedVMRequestsSubscriptionMaximum;23999 VmssQueuedVMOperations;0"
_GROUPS = (
    (
        "GET virtualmachinescalesets/virtualmachines/?$",
        (
            "HighCostGetVMScaleSetSubscriptionMaximum;1079 HighCostGetVMScaleSetResource;29 "
            "VMScaleSetVMViewsSubscriptionMaximum;29999"
        ),
    ),
    (
        "GET virtualmachinescalesets/virtualmachines/",
        "GetVMScaleSetVMSubscriptionMaximum;5999 GetVMScaleSetVMResource;35 VMScaleSetVMViewsSubscriptionMaximum;29999",
    ),
    (
        "POST virtualmachinescalesets/virtualmachines/",
        f"VMScaleSetVMActionsSubscriptionMaximum;1199 VMScaleSetVMActionsResource;11 {_BATCHED}",
    ),
    (
        "DELETE virtualmachinescalesets/virtualmachines/",
        f"DeleteVMScaleSetVMSubscriptionMaximum;1199 DeleteVMScaleSetVMResource;11 {_BATCHED}",
    ),
    ("POST virtualmachinescalesets/", f"VMScaleSetActionsSubscriptionMaximum;1199 {_BATCHED}"),
    ("GET virtualmachinescalesets/", "GetVMScaleSetSubscriptionMaximum;2399 GetVMScaleSetResource;35"),
    ("DELETE virtualmachinescalesets/", f"DeleteVMScaleSetSubscriptionMaximum;479 {_BATCHED}"),
    ("P.* virtualmachinescalesets/", "CreateVMScaleSetSubscriptionMaximum;374 CreateVMScaleSetResource;11"),
    ("GET virtualmachines/", "LowCostGetSubscriptionMaximum;23999 LowCostGetResource;35"),
    ("PUT virtualmachines/", "PutVMSubscriptionMaximum;1499 PutVMResource;11"),
    ("DELETE virtualmachines/", "DeleteVMSubscriptionMaximum;1499 DeleteVMResource;11"),
    ("P.* virtualmachines/", "UpdateVMSubscriptionMaximum;1499 UpdateVMResource;11"),
    ("GET images/", "GetImagesSubscriptionMaximum;359"),
    ("DELETE images/", "DeleteImagesSubscriptionMaximum;119"),
    ("P.* images/", "CreateImagesSubscriptionMaximum;119"),
    ("GET (disks|snapshots)/", "LowCostGet3Min;14999 LowCostGet30Min;119999"),
    ("PUT disks/", "HighCostDiskCreateHydrate3Min;1000 HighCostDiskCreateHydrate30Min;8000"),
    ("PUT snapshots/", "HighCostSnapshotCreateHydrate3Min;1000 HighCostSnapshotCreateHydrate30Min;8000"),
    (".* (disks|snapshots)/", "HighCostGet3Min;1000 HighCostGet30Min;8000"),
    (
        "GET galleries/images/versions/?$",
        "ListGalleryImageVersionsInGalleryImage3Min;299 ListGalleryImageVersionsInGalleryImage30Min;2999",
    ),
    ("GET galleries/images/versions/", "GetGalleryImageVersion3Min;1999 GetGalleryImageVersion30Min;9999"),
    ("DELETE galleries/images/versions/", "DeleteGalleryImageVersion3Min;149 DeleteGalleryImageVersion30Min;749"),
    (
        "P.* galleries/images/versions/",
        "CreateUpdateGalleryImageVersion3Min;99 CreateUpdateGalleryImageVersion30Min;499",
    ),
    ("GET galleries/images/", "GetGalleryImage3Min;599 GetGalleryImage30Min;2999"),
    (".* galleries/images/", "CreateUpdateGalleryImage3Min;149 CreateUpdateGalleryImage30Min;749"),
    ("GET galleries/", "GetGallery3Min;349 GetGallery30Min;2499"),
    (".* galleries/", "CreateUpdateGallery3Min;50 CreateUpdateGallery30Min;300"),
    ("GET locations/operations/", "GetOperationResource;44 GetOperationSubscriptionMaximum;14999"),
    ("GET locations/diskoperations/", "GetOperation3Min;49999 GetOperation30Min;399999"),
    ("GET locations/capsoperations/", "GetOperationStatus3Min;1199 GetOperationStatus30Min;4199"),
    ("GET locations/usages", "GetSubscriptionInfoSubscriptionMaximum;479"),
    (
        "GET locations/publishers/.*/versions/?$",
        "ListVMImagesVersionsFromLocation3Min;15999 ListVMImagesVersionsFromLocation30Min;43999",
    ),
    ("GET locations/publishers/", "GetVMImageFromLocation3Min;12999 GetVMImageFromLocation30Min;73999"),
)


def rate_limit_headers(method: str, path: str) -> dict[str, str]:
    """Give the headers for a call that a provider has answered."""
    if not path.lower().startswith("/subscriptions/"):
        return {}
    prefix = "x-ms-ratelimit-remaining-subscription-"
    headers = {prefix + name: left for name, left in _SUBSCRIPTION.get(method, _WRITES).items()}
    if groups := _compute_groups(method, path):
        headers["x-ms-ratelimit-remaining-resource"] = ",".join(f"Microsoft.Compute/{each}" for each in groups)
    return headers


def _compute_groups(method: str, path: str) -> list[str]:
    _, found, rest = path.lower().partition("/providers/microsoft.compute/")
    if not found or any(part in rest for part in ("/networkinterfaces", "/publicipaddresses")):
        return []
    call = f"{method} {_without_names(rest)}"
    return next((groups.split() for pattern, groups in _GROUPS if re.match(pattern, call)), [])


def _without_names(rest: str) -> str:
    """Leave the names out: ``galleries/g/images/i`` becomes ``galleries/images/_``, and a list ``galleries/images``."""
    parts = rest.strip("/").split("/")
    types = "/".join(parts[::2])
    return f"{types}/_" if len(parts) % 2 == 0 else types
