"""ARM's errors become ours: of the right kind, with everything that ARM nested in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from tests.cloud.scripted_arm import Answer
from verified_images.cloud.errors import translate, unfold
from verified_images.cloud.groups import create_group, group_exists
from verified_images.errors import (
    AccessDeniedError,
    CapacityError,
    CloudError,
    ConflictError,
    NotFoundError,
    QuotaError,
    ThrottledError,
)

if TYPE_CHECKING:
    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.cloud.operations import Arm

QUOTA_MESSAGE = (
    "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. "
    "Additional details - Location: KoreaSouth, Current Limit: 50, Current Usage: 50, Additional Required: 2."
)
THROTTLED_BY_COMPUTE = {
    "error": {
        "code": "OperationNotAllowed",
        "message": "The server rejected the request because too many requests have been received.",
        "details": [
            {
                "code": "TooManyRequests",
                "target": "HighCostGetVMScaleSet3Min",
                "message": json.dumps({"operationGroup": "HighCostGetVMScaleSet3Min", "allowedRequestCount": 190}),
            }
        ],
        "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
    }
}


def refuse(arm: Arm, scripted: ScriptedArm, status: int, body: object) -> CloudError:
    """Let ARM refuse a group and return the error."""
    headers = {"x-ms-correlation-request-id": "c0ffee"}
    scripted.script("PUT", "resourcegroups/web$", Answer(status, body, headers))
    with pytest.raises(CloudError) as caught:
        create_group(arm, "web", "westeurope", {})
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (404, "ResourceGroupNotFound", "Resource group 'web' could not be found.", NotFoundError),
        (404, "PlatformImageNotFound", "The platform image 'a:b:c:latest' is not available.", NotFoundError),
        (409, "OperationNotAllowed", "Operation 'start' is not allowed: the VM is generalized.", ConflictError),
        (409, "OperationNotAllowed", QUOTA_MESSAGE, QuotaError),
        (400, "QuotaExceeded", QUOTA_MESSAGE, QuotaError),
        (409, "SkuNotAvailable", "The requested VM size is not available.", CapacityError),
        (409, "ZonalAllocationFailed", "Allocation failed.", CapacityError),
        (200, "AllocationFailed", "Allocation failed.", CapacityError),
        (403, "AuthorizationFailed", "The client does not have authorization.", AccessDeniedError),
        (401, "ExpiredAuthenticationToken", "The access token expired.", AccessDeniedError),
        (429, "RetryableError", "A retryable error occurred.", ThrottledError),
        (400, "NicInUse", "Network interface is used by a virtual machine.", CloudError),
        (500, "InternalServerError", "An error occurred.", CloudError),
    ],
)
def test_code_and_status_tell_the_kind(status: int, code: str, message: str, kind: type[CloudError]) -> None:
    error = ServiceRequestError(message)
    error.response = FakeResponse(status, {"error": {"code": code, "message": message}})  # type: ignore[attr-defined]
    translated = translate(error, "create virtual machine", "vm")
    assert type(translated) is kind
    assert translated.code == code
    assert translated.status == status
    assert f"create virtual machine 'vm' failed: {code}: {message.rstrip('.')}" in str(translated)


class FakeResponse:
    """A response of the SDK's."""

    def __init__(self, status: int, body: object) -> None:
        self.status_code = status
        self.headers: dict[str, str] = {}
        self._body = body

    def text(self) -> str:
        """The body."""
        return self._body if isinstance(self._body, str) else json.dumps(self._body)


def test_a_refused_call_says_what_was_tried_and_how_to_trace_it(arm: Arm, scripted: ScriptedArm) -> None:
    error = refuse(arm, scripted, 403, {"error": {"code": "AuthorizationFailed", "message": "No role."}})
    assert isinstance(error, AccessDeniedError)
    assert (error.operation, error.resource) == ("create resource group", "web")
    assert error.correlation_id == "c0ffee"
    assert str(error) == (
        "create resource group 'web' failed: AuthorizationFailed: No role; log in (`az login`), or ask for a role that "
        "allows it (correlation id c0ffee)"
    )
    assert error.__cause__ is not None


def test_a_proxys_page_becomes_an_error_and_no_more(
    arm: Arm, scripted: ScriptedArm, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.script("GET", "resourcegroups/images$", Answer(403, b"<html>Blocked</html>"))
    with pytest.raises(AccessDeniedError, match="look for resource group 'images' failed: "):
        group_exists(arm, "images")
    assert caplog.text == ""


def test_details_are_unfolded_to_the_innermost(arm: Arm, scripted: ScriptedArm) -> None:
    inner = {"code": "InvalidParameter", "target": "size", "message": "Required parameter 'size' is missing."}
    body = {"error": {"code": "DeploymentFailed", "message": "One failed.", "details": [inner]}}
    error = refuse(arm, scripted, 400, body)
    assert error.code == "InvalidParameter"
    assert error.details == ("InvalidParameter: Required parameter 'size' is missing.",)
    assert "DeploymentFailed: One failed" in str(error)
    assert "Required parameter 'size' is missing" in str(error)


def test_compute_hides_a_throttle_in_json_text() -> None:
    problems = unfold(THROTTLED_BY_COMPUTE)
    assert [problem.code for problem in problems] == [
        "OperationNotAllowed",
        "TooManyRequests",
        "TooManyRequestsReceived",
    ]


def test_operation_results_use_capitals_and_json_in_a_message() -> None:
    detail = {"Code": None, "Message": '{"error":{"code":"InternalServerError","message":"An error occurred."}}'}
    body = {"Error": {"Code": "ResourceGroupDeletionTimeout", "Message": "Too long.", "Details": [detail]}}
    assert [str(problem) for problem in unfold(body)] == [
        "ResourceGroupDeletionTimeout: Too long.",
        "InternalServerError: An error occurred.",
    ]


@pytest.mark.parametrize("body", ["", "<html>Bad gateway</html>", "[]", "null", '"text"', '{"error": "text"}'])
def test_a_body_that_is_no_arm_error_still_gives_an_error(body: str) -> None:
    error = ServiceRequestError("Bad gateway\nand more")
    error.response = FakeResponse(502, body)  # type: ignore[attr-defined]
    assert "create 'x' failed: Bad gateway" in str(translate(error, "create", "x"))


def test_endless_nesting_ends() -> None:
    body: dict[str, Any] = {"code": "Deepest", "message": "end"}
    for _ in range(100):
        body = {"code": "Outer", "message": "", "details": [body]}
    assert len(unfold(body)) < 20


def test_a_credential_that_does_not_work_is_access_denied() -> None:
    error = translate(ClientAuthenticationError("az login first"), "get a token for", "arm")
    assert isinstance(error, AccessDeniedError)


def test_a_broken_connection_is_a_cloud_error() -> None:
    error = translate(ServiceRequestError("Connection refused"), "get", "x")
    assert type(error) is CloudError
    assert error.status is None
