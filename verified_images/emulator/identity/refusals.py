"""Refusals in Entra's form. Source: Microsoft identity platform, "Error codes", and answers quoted in public issues."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from verified_images.emulator.wire import Request

_STATUS = {"invalid_client": 401}
_TROUBLESHOOTING = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"


class EntraError(Exception):
    """A request for a token that is refused: OAuth's ``error`` and Entra's number and text."""

    def __init__(self, error: str, number: int, message: str) -> None:
        super().__init__(f"AADSTS{number}: {message}")
        self.error = error
        self.number = number

    def answer(self, request: Request) -> Answer:
        """Give the answer that tells of it."""
        trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id") or str(uuid.uuid4())
        now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        return Answer(
            _STATUS.get(self.error, 400),
            {
                "error": self.error,
                "error_description": f"{self} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
                "error_codes": [self.number],
                "timestamp": now,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"{_TROUBLESHOOTING}#aadsts{self.number}",
            },
        )


def tenant_not_found(tenant: str, error: str = "invalid_request") -> EntraError:
    """Make the refusal of a tenant that does not exist."""
    return EntraError(
        error,
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct "
        "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for "
        "the "
        "tenant.",
    )


def application_not_found(client: str, tenant: str) -> EntraError:
    """Make the refusal of an application that does not exist."""
    return EntraError(
        "unauthorized_client",
        700016,
        f"Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. "
        "You may have sent your authentication request to the wrong tenant.",
    )


def missing_parameter(name: str) -> EntraError:
    """Make the refusal of a request without a parameter that it needs."""
    return EntraError("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
