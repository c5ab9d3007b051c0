"""What Azure says when what a fault rule brings about happens by itself.

Source: recorded answers, and answers quoted in public issues (the words of 429, of capacity and of policies).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError, CanceledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.actions import Action
    from verified_images.emulator.fault_rules import FaultRule
    from verified_images.emulator.wire import Request

_THROTTLED_SECONDS = 5
_GUIDANCE = "Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance"
_CAPACITY = {
    "AllocationFailed": "Allocation failed. We do not have sufficient capacity for the requested VM size in this "
    f"region. {_GUIDANCE}",
    "ZonalAllocationFailed": "Allocation failed. We do not have sufficient capacity for the requested VM size in this "
    f"zone. {_GUIDANCE}",
    "OverconstrainedAllocationRequest": "Allocation failed. VM(s) with the following constraints cannot be allocated, "
    "because the condition is too restrictive. Please remove some constraints and try again. Constraints applied are: "
    "VM Size.",
}
OPERATION_FAULTS = {"operation_failed", "operation_canceled", "operation_stuck", "no_capacity"}


def refusal(rule: FaultRule, request: Request, action: Action) -> ArmError | None:
    """Give the error that answers a call which a rule strikes; None when the call itself is accepted."""
    make = _REFUSALS.get(rule.fault)
    error = make(rule, request, action) if make else None
    if error and rule.retry_after is not None:
        error.headers["Retry-After"] = str(rule.retry_after)
    return error


def outcome(rule: FaultRule) -> ArmError:
    """Give the error with which an operation ends that a rule strikes."""
    if rule.fault == "operation_canceled":
        return CanceledError(
            rule.status or 409,
            rule.code or "OperationCanceled",
            rule.message or "The operation was canceled.",
        )
    code = rule.code or ("AllocationFailed" if rule.fault == "no_capacity" else "InternalExecutionError")
    message = rule.message or _CAPACITY.get(code, "An internal execution error occurred. Please retry later.")
    return ArmError(rule.status or 409, code, message)


def _refuse(rule: FaultRule, request: Request, action: Action) -> ArmError:
    del request, action
    message = rule.message or "The server encountered an internal error. Please retry the request."
    return ArmError(rule.status or 500, rule.code or "InternalServerError", message)


def _throttle(rule: FaultRule, request: Request, action: Action) -> ArmError:
    seconds = _THROTTLED_SECONDS if rule.retry_after is None else rule.retry_after
    headers = {"Retry-After": str(seconds)}
    provider = action.type.partition("/")[0].lower()
    if provider == "microsoft.compute":
        counted = {
            "operationGroup": "HighCostGetVMScaleSet3Min" if request.method == "GET" else "PutVM3Min",
            "allowedRequestCount": 190,
            "measuredRequestCount": 221,
        }
        return ArmError(
            429,
            rule.code or "OperationNotAllowed",
            rule.message
            or "The server rejected the request because too many requests have been received for this subscription.",
            details=[
                {"code": "TooManyRequests", "target": counted["operationGroup"], "message": json.dumps(counted)},
            ],
            headers=headers,
            additional={"innererror": {"internalErrorCode": "TooManyRequestsReceived"}},
        )
    if provider == "microsoft.network":
        busy = f"Operation {action.name} is updating resource {action.scope}."
        detail = f"{busy} The call can be retried in {seconds} seconds."
        return ArmError(
            429,
            rule.code or "RetryableError",
            rule.message or "A retryable error occurred.",
            details=[{"code": "RetryableErrorDueToAnotherOperation", "message": detail}],
            headers=headers,
        )
    kind = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(request.method, "write")
    return ArmError(
        429,
        rule.code or "SubscriptionRequestsThrottled",
        rule.message
        or f"Number of '{kind}' requests for subscription '{request.parameters.get('subscription', '')}' actor "
        f"'{request.caller.get('oid', '')}' exceeded. Please try again after '{seconds}' seconds after additional "
        "tokens "
        "are available. Refer to https://aka.ms/arm-throttling for additional information.",
        headers=headers,
    )


def _run_short(rule: FaultRule, request: Request, action: Action) -> ArmError | None:
    del action
    if rule.code != "SkuNotAvailable":
        return None
    size, location = _asked_for(request)
    return ArmError(
        409,
        "SkuNotAvailable",
        rule.message
        or f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' is "
        f"currently not available in location '{location}'. Please try another size or deploy to a different "
        "location or "
        "different zone. See https://aka.ms/azureskunotavailable for details.",
    )


def _exceed_quota(rule: FaultRule, request: Request, action: Action) -> ArmError:
    del action
    _, location = _asked_for(request)
    return ArmError(
        rule.status or 409,
        rule.code or "OperationNotAllowed",
        rule.message
        or "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. "
        "Additional "
        f"details - Deployment Model: Resource Manager, Location: {location}, Current Limit: 10, Current Usage: 10, "
        "Additional Required: 2, (Minimum) New Limit Required: 12. Setup Alerts when Quota reaches threshold. Learn "
        "more "
        "at https://aka.ms/quotamonitoringalerting . Submit a request for Quota increase at "
        "https://aka.ms/ProdportalCRP/#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView by specifying parameters "
        "listed in the 'Details' section for deployment to succeed. Please read more about quota limits at "
        "https://docs.microsoft.com/en-us/azure/azure-supportability/regional-quota-requests",
    )


def _asked_for(request: Request) -> tuple[str, str]:
    try:
        body = request.json()
    except ArmError:
        return "", ""
    hardware = (body.get("properties") or {}).get("hardwareProfile") or {}
    return str(hardware.get("vmSize") or (body.get("sku") or {}).get("name", "")), str(body.get("location", ""))


def _deny(rule: FaultRule, request: Request, action: Action) -> ArmError:
    scope = f"/subscriptions/{request.parameters.get('subscription', '')}"
    authorization = f"{scope}/providers/Microsoft.Authorization"
    assignment = f"{authorization}/policyAssignments/{rule.policy}"
    definition = f"{authorization}/policyDefinitions/{rule.policy}"
    identifiers = [
        {
            "policyAssignment": {"name": rule.policy, "id": assignment},
            "policyDefinition": {"name": rule.policy, "id": definition},
        }
    ]
    info = {
        "evaluationDetails": {"evaluatedExpressions": []},
        "policyDefinitionId": definition,
        "policyDefinitionName": rule.policy,
        "policyDefinitionDisplayName": rule.policy,
        "policyDefinitionEffect": "deny",
        "policyAssignmentId": assignment,
        "policyAssignmentName": rule.policy,
        "policyAssignmentDisplayName": rule.policy,
        "policyAssignmentScope": scope,
    }
    return ArmError(
        403,
        "RequestDisallowedByPolicy",
        rule.message
        or f"Resource '{action.resource}' was disallowed by policy. Policy identifiers: '{json.dumps(identifiers)}'.",
        target=action.resource,
        additional={"additionalInfo": [{"type": "PolicyViolation", "info": info}]},
    )


def _tell_use(rule: FaultRule, request: Request, action: Action) -> ArmError:
    del request
    status, code, message = _IN_USE.get(
        action.type.lower(),
        (409, "ResourceInUse", "Resource {id} is in use by another resource and cannot be deleted."),
    )
    of_network = action.type.lower().startswith("microsoft.network/")
    return ArmError(
        rule.status or status,
        rule.code or code,
        rule.message or message.format(id=action.scope, name=action.resource, user=_user_of(action)),
        details=[] if of_network else None,
    )


def _user_of(action: Action) -> str:
    group = action.scope.partition("/providers/")[0]
    return f"{group}/providers/Microsoft.Compute/virtualMachines/another"


_IN_USE = {
    "microsoft.network/networkinterfaces": (
        400,
        "NicInUse",
        (
            "Network Interface {id} is used by existing resource {user}. In order to delete the network interface, "
            "it must be "
            "dissociated from the resource. To learn more, see aka.ms/deletenic."
        ),
    ),
    "microsoft.network/virtualnetworks": (
        400,
        "InUseSubnetCannotBeDeleted",
        (
            "Subnet default is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the "
            "resources within the subnet. See aka.ms/deletesubnet."
        ),
    ),
    "microsoft.network/virtualnetworks/subnets": (
        400,
        "InUseSubnetCannotBeDeleted",
        (
            "Subnet {name} is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the "
            "resources "
            "within the subnet. See aka.ms/deletesubnet."
        ),
    ),
    "microsoft.network/publicipaddresses": (
        400,
        "PublicIPAddressCannotBeDeleted",
        (
            "Public IP address {id} can not be deleted since it is still allocated to resource {user}. In order to "
            "delete the "
            "public IP, disassociate/detach the Public IP address from the resource.  To learn how to do this, see "
            "aka.ms/deletepublicip."
        ),
    ),
    "microsoft.network/networksecuritygroups": (
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        (
            "Network security group {id} cannot be deleted because it is in use by the following resources: {user}. "
            "In order "
            "to delete the Network security group, remove the association with the resource(s). To learn how to do "
            "this, see "
            "aka.ms/deletensg."
        ),
    ),
    "microsoft.network/loadbalancers": (
        400,
        "LoadBalancerInUseByVirtualMachineScaleSet",
        "Cannot remove load balancer {id} since its child resources are in use by virtual machine scale set {user}.",
    ),
    "microsoft.compute/disks": (409, "OperationNotAllowed", "Disk {name} is attached to VM {user}."),
    "microsoft.compute/galleries": (
        409,
        "CannotDeleteResource",
        (
            "Cannot delete resource while nested resources exist. Please delete all nested resources before deleting "
            "this "
            "resource."
        ),
    ),
    "microsoft.compute/galleries/images": (
        409,
        "CannotDeleteResource",
        (
            "Cannot delete resource while nested resources exist. Please delete all nested resources before deleting "
            "this "
            "resource."
        ),
    ),
}

_REFUSALS: dict[str, Callable[[FaultRule, Request, Action], ArmError | None]] = {
    "refused": _refuse,
    "throttled": _throttle,
    "no_capacity": _run_short,
    "quota_exceeded": _exceed_quota,
    "policy_denied": _deny,
    "in_use": _tell_use,
}
