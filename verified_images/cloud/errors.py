"""What the SDK raises, told in verified-images' own errors with ARM's nested details unfolded.

ARM nests: ``error.details[]``, ``error.innererror``, JSON in a message string (Compute's 429s, operation results of
a group's deletion), and capitals in older operation results. Azure: "Common error response format of REST APIs".
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import unescape

from verified_images.errors import (
    AccessDeniedError,
    CapacityError,
    CloudError,
    ConflictError,
    NotFoundError,
    QuotaError,
    RestrictionError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CAPACITY_CODES = frozenset(
    {
        "SkuNotAvailable",
        "AllocationFailed",
        "ZonalAllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
    }
)
RESTRICTION_CODES = frozenset(
    {
        "LocationNotAvailableForResourceType",
        "NotAvailableForSubscription",
        "AzureSpotIsNotSupportedForThisVMSize",
        "InvalidAvailabilityZone",
        "LocationNotSupportAvailabilityZones",
    }
)
QUOTA_CODES = frozenset({"QuotaExceeded", "ResourceQuotaExceeded", "PublicIPCountLimitReached"})
THROTTLED_CODES = frozenset({"TooManyRequests", "RetryableError", "SubscriptionRequestsThrottled"})

ADVICE: Mapping[type[CloudError], str] = {
    CapacityError: "try another vm_size, zone or location (each may be a list)",
    RestrictionError: "choose another vm_size, zone or location, or ask Azure to lift the restriction",
    QuotaError: "ask Azure for more quota, or delete what uses it",
    ThrottledError: "wait some minutes and run again",
    AccessDeniedError: "log in (`az login`), or ask for a role that allows it",
}
"""What to do next, by kind of error."""

_STATUS_KINDS: Mapping[int, type[CloudError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: ThrottledError,
}
_AROUND = re.compile(r"^HTTPS?Connection\([^)]*\): |\[Errno -?\d+\] ")
# azure-identity's; named since the SDK is not imported for the sake of two classes.
_CREDENTIAL_ERRORS = frozenset({"ClientAuthenticationError", "CredentialUnavailableError"})
# A message of ARM can hold an error in JSON, which can hold another: deeper than this is not read.
_DEEPEST_NESTING = 8
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")


@dataclass(frozen=True, slots=True)
class ArmProblem:
    """One code and message of an ARM answer."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.message else self.code or self.message


@contextmanager
def translated(operation: str, resource: str) -> Iterator[None]:
    """Turn what the SDK raises inside the block into a CloudError that says what was tried, on what."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - the SDK is imported by those who use it

    try:
        yield
    except AzureError as error:
        raise translate(error, operation, resource) from error


def translate(error: Exception, operation: str, resource: str) -> CloudError:
    """Return the CloudError for an ``azure.core.exceptions.AzureError``."""
    response = getattr(error, "response", None)
    status: int | None = getattr(response, "status_code", None)
    problems = unfold(_body(response)) or (_other_problem(error, response),)
    kind = _kind(error, status, problems)
    correlation_id = _header(response, "x-ms-correlation-request-id")
    said = "; ".join(dict.fromkeys(str(problem) for problem in problems))
    advice = f"; {ADVICE[kind]}" if kind in ADVICE else ""
    traced = f" (correlation id {correlation_id})" if correlation_id else ""
    return kind(
        f"{operation} '{resource}' failed: {said.rstrip('.')}{advice}{traced}",
        operation=operation,
        resource=resource,
        status=status,
        code=next((problem.code for problem in reversed(problems) if problem.code), ""),
        details=[str(problem) for problem in problems[1:]],
        correlation_id=correlation_id,
    )


def _told_by_network(error: Exception) -> str:
    """Say why a connection failed, without what requests and urllib3 write around that; nothing if it did not."""
    failed = next(iter(getattr(getattr(error, "inner_exception", None), "args", ())), None)
    pool, reason = getattr(failed, "pool", None), getattr(failed, "reason", None)
    if pool is None or reason is None:
        return ""
    text = _AROUND.sub("", str(reason.args[-1] if reason.args else reason)).rstrip(".")
    return f"{pool.host}:{pool.port} could not be reached: {text}; look at the network and its proxy, then run again"


def unfold(body: Any, depth: int = 0) -> tuple[ArmProblem, ...]:  # noqa: ANN401 - any JSON
    """Return every code and message in an ARM error, the outermost first and the most specific last."""
    if isinstance(body, str):
        return _unfold_text(body, depth)
    if not isinstance(body, dict) or depth > _DEEPEST_NESTING:
        return ()
    fields = {str(key).lower(): value for key, value in body.items()}
    if isinstance(fields.get("error"), dict):
        return unfold(fields["error"], depth + 1)
    return (*_own_problem(fields, depth), *_inner_problems(fields, depth))


def _own_problem(fields: Mapping[str, Any], depth: int) -> tuple[ArmProblem, ...]:
    code, message = fields.get("code") or "", fields.get("message") or ""
    nested = _unfold_text(message, depth) if isinstance(message, str) else ()
    if nested:
        return (ArmProblem(str(code), ""), *nested) if code else nested
    return (ArmProblem(str(code), _first_line(str(message))),) if code or message else ()


def _inner_problems(fields: Mapping[str, Any], depth: int) -> tuple[ArmProblem, ...]:
    details = fields.get("details")
    inner = [*(details if isinstance(details, list) else ()), fields.get("innererror")]
    found = [problem for item in inner for problem in unfold(item, depth + 1)]
    internal = fields.get("internalerrorcode")
    return (*found, ArmProblem(str(internal), "")) if internal else tuple(found)


def _unfold_text(text: str, depth: int) -> tuple[ArmProblem, ...]:
    if not text.lstrip().startswith("{"):
        return ()
    try:
        return unfold(json.loads(text), depth + 1)
    except (ValueError, RecursionError):
        return ()


def _kind(error: Exception, status: int | None, problems: tuple[ArmProblem, ...]) -> type[CloudError]:
    codes = {problem.code for problem in problems}
    if status == 429 or codes & THROTTLED_CODES:  # noqa: PLR2004 - an HTTP status
        return ThrottledError
    if codes & CAPACITY_CODES:
        return CapacityError
    if codes & RESTRICTION_CODES:
        return RestrictionError
    if codes & QUOTA_CODES or any(
        problem.code == "OperationNotAllowed" and "quota" in problem.message.lower() for problem in problems
    ):
        return QuotaError
    if type(error).__name__ in _CREDENTIAL_ERRORS:
        return AccessDeniedError
    return _STATUS_KINDS.get(status or 0, CloudError)


def _other_problem(error: Exception, response: Any) -> ArmProblem:  # noqa: ANN401 - see _body
    """Return what went wrong where there is no JSON: Azure Storage tells the code in a header, and the rest in XML.

    Source: Azure Storage, "Status and error codes".
    """
    code = _header(response, "x-ms-error-code")
    told = _MESSAGE.search(_text(response)) if code else None
    return ArmProblem(code, _told_by_network(error) or _first_line(unescape(told[1]) if told else str(error)))


def _text(response: Any) -> str:  # noqa: ANN401 - see _body
    try:
        return str(response.text())
    except Exception:  # noqa: BLE001 - see _body
        return ""


def _body(response: Any) -> Any:  # noqa: ANN401 - the SDK's responses have no common type
    if response is None:
        return None
    try:
        return json.loads(response.text())
    except Exception:  # noqa: BLE001 - a body that cannot be read must not hide the error that it belongs to
        return None


def _header(response: Any, name: str) -> str:  # noqa: ANN401 - see _body
    headers = getattr(response, "headers", None) or {}
    return str(headers.get(name) or "")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].strip() if text.strip() else ""
