"""Preflight: whatever the cloud or the target would refuse later is found before anything is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PinnedSource:
    """The source image at one exact version.

    ``reference`` is the VM's ``imageReference`` in wire shape; ``generation`` "V1" or "V2"; ``architecture``
    "x64" or "Arm64"; ``purchase_plan`` the VM's ``plan`` in wire shape, where the image asks for one.
    """

    description: str
    version: str
    reference: Mapping[str, Any]
    generation: str
    architecture: str
    purchase_plan: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What preflight found and decided.

    ``callers`` are the addresses, in CIDR notation, that may reach the machines by SSH; ``gallery_version`` is
    the version's ARM id and ``managed_image`` the image's, where the template has such a target.
    """

    source: PinnedSource
    callers: tuple[str, ...]
    gallery_version: str | None = None
    managed_image: str | None = None
