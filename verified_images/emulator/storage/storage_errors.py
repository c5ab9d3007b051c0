"""Errors as Azure Storage sends them: XML, and the code in a header. Source: Azure Storage, "Error codes"."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "2021-12-02"
"""The version of the blob protocol that answers are marked with."""


class StorageError(Exception):
    """An answer of the blob service that refuses a call."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def answer(self) -> Answer:
        """Give the answer as it goes over the wire."""
        request_id = str(uuid.uuid4())
        time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        text = escape(f"{self.message}\nRequestId:{request_id}\nTime:{time}")
        body = f'﻿<?xml version="1.0" encoding="utf-8"?><Error><Code>{self.code}</Code><Message>{text}</Message></Error>'
        headers = {"Content-Type": "application/xml", "x-ms-error-code": self.code, "x-ms-version": VERSION}
        return Answer(self.status, body.encode(), {**self.headers, **headers})


def authentication_failed() -> StorageError:
    """Make the 403 for a signature that is wrong, was revoked or has expired."""
    return StorageError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.",
    )


def permission_mismatch() -> StorageError:
    """Make the 403 for a signature that does not allow the call."""
    return StorageError(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )


def invalid_header(name: str) -> StorageError:
    """Make the 400 for a header with a value that the service does not take."""
    return StorageError(
        400, "InvalidHeaderValue", f"The value for one of the HTTP headers is not in the correct format. ({name})"
    )


def missing_header(name: str) -> StorageError:
    """Make the 400 for a header that a call must have."""
    return StorageError(
        400, "MissingRequiredHeader", f"An HTTP header that's mandatory for this request is not specified. ({name})"
    )


def not_found(noun: str) -> StorageError:
    """Make the 404 for a ``container`` or ``blob`` that is not there."""
    return StorageError(404, f"{noun.title()}NotFound", f"The specified {noun} does not exist.")


def exists_already(noun: str) -> StorageError:
    """Make the 409 for a ``container`` or ``blob`` that is there already."""
    return StorageError(409, f"{noun.title()}AlreadyExists", f"The specified {noun} already exists.")


def wrong_type() -> StorageError:
    """Make the 409 for a call that blobs of another type have."""
    return StorageError(409, "InvalidBlobType", "The blob type is invalid for this operation.")


def condition_not_met() -> StorageError:
    """Make the 412 for a call whose If-Match or If-None-Match does not hold."""
    return StorageError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
