"""Errors as Azure Resource Manager sends them, worded as recorded."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.emulator.ids import ResourceId


class ArmError(Exception):
    """An answer that refuses a call, or the end of an operation that failed."""

    def __init__(  # noqa: PLR0913 - the parts of ARM's error body
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        additional: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = dict(headers or {})
        self.additional = dict(additional or {})

    def body(self) -> dict[str, Any]:
        """Give the wire form, ``{"error": {...}}``."""
        return {"error": self.inner()}

    def inner(self) -> dict[str, Any]:
        """Give what stands under ``error``."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = [dict(detail) for detail in self.details]
        return error | self.additional


class CanceledError(ArmError):
    """The end of an operation that was canceled."""


def network_error(status: int, code: str, message: str) -> ArmError:
    """Make an error of the network provider, which always has an (often empty) list of details."""
    return ArmError(status, code, message, details=[])


def unexpected(error: Exception) -> ArmError:
    """Make the 500 for what nobody foresaw; what the disk refused is told, since only the user can help that."""
    if isinstance(error, OSError | sqlite3.Error):
        return ArmError(500, "InternalServerError", f"The local Azure could not use its own files: {error}.")
    return ArmError(500, "InternalServerError", "An unexpected error occurred.")


def group_not_found(name: str) -> ArmError:
    """Make the 404 for a resource group that does not exist."""
    return ArmError(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{name}' could not be found.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def resource_not_found(resource: ResourceId) -> ArmError:
    """Make the 404 that ARM's gateway gives for a resource that does not exist."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource.provider}/{_alternating(resource)}' under resource group '{resource.group}' was "
        "not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers={"x-ms-failure-cause": "gateway"},
    )


def parent_not_found(resource: ResourceId) -> ArmError:
    """Make the 404 for a write under a parent that does not exist."""
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform 'write' on resource(s) of type '{'/'.join(resource.types)}', because the parent resource "
        f"'{resource.parent}' could not be found.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def group_being_deleted(name: str) -> ArmError:
    """Make the 409 for a write in a group that is being deleted."""
    return ArmError(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{name}' is in deprovisioning state and cannot perform this operation.",
    )


def missing_parameter(name: str) -> ArmError:
    """Make the compute provider's 400 for a required property that is not there."""
    return ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def invalid_parameter(name: str, message: str) -> ArmError:
    """Make the compute provider's 400 for a property with a value that it refuses."""
    return ArmError(400, "InvalidParameter", message, target=name)


def _alternating(resource: ResourceId) -> str:
    return "/".join(f"{kind}/{name}" for kind, name in zip(resource.types, resource.names, strict=True))
