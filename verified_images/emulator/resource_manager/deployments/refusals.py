"""The errors of deployments, as Azure words them. Source: recorded traffic, and Azure's troubleshooting pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator.wire import Request

_FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. Please see "
    "https://aka.ms/arm-deployment-operations for usage details."
)


def locate(request: Request, name: str) -> tuple[int, int]:
    """Give line and column of a name's first place in the request's body; zeros when it is not there."""
    text = request.content.decode(errors="replace")
    at = text.find(json.dumps(name))
    if at < 0:
        return 0, 0
    before = text[:at]
    return before.count("\n") + 1, at - before.rfind("\n")


def invalid_template(request: Request, reason: str, *, name: str = "", path: str = "", whole: bool = False) -> ArmError:
    """Make the 400 for a template that cannot be deployed; ``whole`` takes the reason as the whole message."""
    line, column = locate(request, name) if name else (0, 0)
    return ArmError(
        400,
        "InvalidTemplate",
        reason if whole else f"Deployment template validation failed: '{reason}'.",
        additional={
            "additionalInfo": [
                {
                    "type": "TemplateViolation",
                    "info": {"lineNumber": line, "linePosition": column, "path": path},
                }
            ]
        },
    )


def invalid_content(reason: str) -> ArmError:
    """Make the 400 for a body that does not have the shape of a deployment."""
    return ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{reason}'.",
    )


def not_emulated(what: str, instead: str) -> ArmError:
    """Make the 400 for a part of deployments that a local Azure does not have."""
    return ArmError(400, "NotSupported", f"The local Azure does not support {what}: {instead}.")


def not_authorized(request: Request, resources: Sequence[tuple[str, str, str]]) -> ArmError:
    """Make the 400 for a template with resources (type, name and id) that the caller may not write."""
    client, principal = (request.caller.get(claim, "") for claim in ("appid", "oid"))
    reasons = [
        f"Authorization failed for template resource '{name}' of type '{kind}'. The client '{client}' with object id "
        f"'{principal}' does not have permission to perform action '{kind}/write' at scope '{identifier}'."
        for kind, name, identifier in resources
    ]
    start = "Deployment failed with multiple errors" if reasons[1:] else "The template deployment failed with error"
    return ArmError(400, "InvalidTemplateDeployment", f"{start}: '{':'.join(reasons)}'.")


def deployment_not_found(name: str) -> ArmError:
    """Make the 404 for a deployment that does not exist."""
    return ArmError(
        404,
        "DeploymentNotFound",
        f"Deployment '{name}' could not be found.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def deployment_failed(identifier: str, details: Sequence[dict[str, Any]]) -> ArmError:
    """Make the error of a deployment some of whose resources failed."""
    return ArmError(409, "DeploymentFailed", _FAILED, target=identifier, details=details)


def outputs_failed(failures: dict[str, str]) -> ArmError:
    """Make the error of a deployment whose outputs cannot be evaluated."""
    return ArmError(
        400,
        "DeploymentOutputEvaluationFailed",
        f"Unable to evaluate template outputs: '{','.join(failures)}'. Please see error details and deployment "
        "operations. Please see https://aka.ms/arm-common-errors for usage details.",
        details=[
            {
                "code": "DeploymentOutputEvaluationFailed",
                "target": name,
                "message": f"The template output '{name}' is not valid: {reason}",
            }
            for name, reason in failures.items()
        ],
    )


def terminal_failure(identifier: str, error: dict[str, Any]) -> dict[str, Any]:
    """Give the detail of a resource whose long-running operation failed."""
    return {
        "code": "ResourceDeploymentFailure",
        "target": identifier,
        "message": "The resource write operation failed to complete successfully, because it reached terminal "
        "provisioning state 'Failed'.",
        "details": [error],
    }
