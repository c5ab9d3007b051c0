"""The VHDs of disks and snapshots to which somebody has access for a while: blobs whose URL is the permission."""

from __future__ import annotations

import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.storage.storage_errors import authentication_failed, permission_mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.emulator.cloud import Cloud

PATTERN = "/blobs/{account}/{container}/abcd"
"""Where they are."""
_KINDS = ("Microsoft.Compute/disks", "Microsoft.Compute/snapshots")


def permitted_file(cloud: Cloud, named: Mapping[str, str], signature: str, *, writes: bool = False) -> Path:
    """Give the file behind a URL, whose signature must be good still; ``named`` are the placeholders of the pattern.

    Raises:
        StorageError: 403: there is no such access, or it has ended, or it does not allow the call.
    """
    wanted = named["account"].removeprefix("md-")
    for kind in _KINDS:
        for resource in cloud.store.select(kind):
            access = resource.hidden.get("access")
            if access and access["id"] == wanted and access["container"] == named["container"]:
                if not hmac.compare_digest(signature, access["signature"]) or access["expires"] < time.time():
                    raise authentication_failed()
                if writes and access["level"] != "Write":
                    raise permission_mismatch()
                return Path(access["file"])
    raise authentication_failed()
