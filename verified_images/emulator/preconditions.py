"""Writes that are to be done only if the resource is as the caller knows it: If-Match and If-None-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


def check_preconditions(request: Request, existing: Resource | None) -> None:
    """Refuse with 412 what If-Match and If-None-Match do not allow. Source: RFC 9110, section 13."""
    etag = existing.body.get("etag") if existing else None
    if_match, if_none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if if_none_match == "*" and existing:
        raise ArmError(412, "PreconditionFailed", f"The resource '{request.id}' already exists.")
    if if_match is not None and (existing is None or (if_match != "*" and etag is not None and if_match != etag)):
        raise ArmError(
            412, "PreconditionFailed", f"The condition '{if_match}' in the If-Match header was not satisfied."
        )
