"""Carries a deployment out: each resource as soon as those that it needs are there, several at a time."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.evaluation import count_copies, evaluate_value
from verified_images.emulator.resource_manager.deployments.nesting import nested_properties
from verified_images.emulator.resource_manager.deployments.parameters import is_secret, spell_type
from verified_images.emulator.resource_manager.deployments.plan import DEPLOYMENTS
from verified_images.emulator.resource_manager.deployments.records import (
    TYPE,
    add_operation,
    conclude,
    describe_operation,
)
from verified_images.emulator.resource_manager.deployments.refusals import (
    deployment_failed,
    outputs_failed,
    terminal_failure,
)
from verified_images.emulator.resource_manager.deployments.runtime import Runtime
from verified_images.emulator.resource_manager.deployments.waiting import OperationFailedError, call_and_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.resource_manager.deployments.language.scope import Scope
    from verified_images.emulator.resource_manager.deployments.plan import Planned
    from verified_images.emulator.resource_manager.deployments.preparation import Prepared
    from verified_images.emulator.wire import Request

_AT_ONCE = 8
_PROVIDERS_VERSION = "2022-09-01"


class Execution:
    """One deployment that runs. ``stopped`` tells that it was cancelled."""

    def __init__(self, cloud: Cloud, request: Request, prepared: Prepared, stopped: Callable[[], bool]) -> None:
        self._cloud = cloud
        self._request = request
        self._prepared = prepared
        self._stopped = stopped
        self._runtime = Runtime(request, prepared.plan).functions()
        self._failures: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """Deploy everything and write how it ended.

        Raises:
            ArmError: a resource or an output failed, or the deployment was cancelled.
        """
        self._move("Running")
        self._register_providers()
        self._deploy_all()
        if self._stopped():
            conclude(self._cloud, self._prepared.deployment, "Canceled", {})
            raise ArmError(409, "DeploymentCanceled", "The deployment was canceled.")
        try:
            if not self._failures and self._prepared.mode == "Complete":
                self._delete_others()
            if self._failures:
                raise deployment_failed(str(self._prepared.deployment), list(self._failures.values()))
            outputs = self._evaluate_outputs()
        except ArmError as error:
            conclude(self._cloud, self._prepared.deployment, "Failed", {"error": error.inner()})
            raise
        deployed = sorted((planned.id for planned in self._prepared.plan.deployed()), key=str.lower)
        more: dict[str, Any] = {"outputResources": [{"id": identifier} for identifier in deployed]}
        if self._prepared.template.has("outputs"):
            more = {"outputs": outputs, **more}
        conclude(self._cloud, self._prepared.deployment, "Succeeded", more)

    def _move(self, state: str) -> None:
        with self._cloud.store.changing(self._prepared.deployment) as record:
            if record:
                record.properties["provisioningState"] = state

    def _register_providers(self) -> None:
        """Register the subscription with the providers of the resources, where it is not yet and the caller may."""
        base = f"/subscriptions/{self._prepared.deployment.subscription}/providers"
        for namespace in dict.fromkeys(planned.type.partition("/")[0] for planned in self._prepared.plan.deployed()):
            with suppress(ArmError):
                provider = self._request.call("GET", f"{base}/{namespace}?api-version={_PROVIDERS_VERSION}").body
                if provider["registrationState"] not in {"Registered", "Registering"}:
                    self._request.call("POST", f"{base}/{namespace}/register?api-version={_PROVIDERS_VERSION}")

    def _deploy_all(self) -> None:
        plan = self._prepared.plan
        waiting = {planned.key: planned for planned in plan.deployed()}
        done = {key for key, planned in plan.resources.items() if not planned.deployed}
        running, ended = 0, SimpleQueue[tuple[str, bool | Exception]]()
        while True:
            ready = [] if self._stopped() else [one for one in waiting.values() if self._needs(one) <= done]
            for planned in ready[: _AT_ONCE - running]:
                del waiting[planned.key]
                running += 1
                # A daemon, as the threads of operations are: what is stuck keeps no process from ending.
                Thread(target=self._try_deploy, args=(planned, ended), name="deployment", daemon=True).start()
            if not running:
                return
            key, outcome = ended.get()
            running -= 1
            if isinstance(outcome, Exception):
                raise outcome
            done |= {key} if outcome else set()

    def _try_deploy(self, planned: Planned, ended: SimpleQueue[tuple[str, bool | Exception]]) -> None:
        try:
            ended.put((planned.key, self._deploy(planned)))
        except Exception as error:  # noqa: BLE001 - it is raised where the deployment runs
            ended.put((planned.key, error))

    def _needs(self, planned: Planned) -> set[str]:
        """Give what a resource waits for: also for what a skipped resource between would have waited for."""
        found, queue = set(planned.needs), list(planned.needs)
        while queue:
            other = self._prepared.plan.resources[queue.pop()]
            if not other.deployed:
                queue.extend(other.needs - found)
                found |= other.needs
        return found

    def _deploy(self, planned: Planned) -> bool:
        began = time.monotonic()
        status, error = 200, None
        try:
            scope = replace(planned.scope, environment={**planned.scope.environment, **self._runtime})
            body = planned.body(scope)
            if planned.type.lower() == DEPLOYMENTS:
                body["properties"] = nested_properties(planned, planned.scope, scope)
            target = f"{planned.id}?api-version={planned.api_version}"
            status = call_and_wait(self._request, "PUT", target, body, self._stopped).status
        except ArmError as refused:
            status, error = refused.status, refused.inner()
        except OperationFailedError as failed:
            status, error = 409, failed.error
            if planned.type.lower() != DEPLOYMENTS:
                error = terminal_failure(planned.id, failed.error)
        except TemplateError as wrong:
            status, error = 400, {"code": "InvalidTemplate", "message": _unprocessable(planned, wrong)}
        if error:
            self._failures[planned.id] = error
        self._record(planned, began, status, error)
        return error is None

    def _record(self, planned: Planned | None, began: float, status: int, error: dict[str, Any] | None) -> None:
        entry = describe_operation(planned, time.monotonic() - began, status, error)
        add_operation(self._cloud, self._prepared.deployment, entry)

    def _delete_others(self) -> None:
        """Delete what is in the group and not in the template, again and again while it gets less."""
        left = list(_others(self._cloud, self._prepared))
        while left:
            errors = {}
            for identifier, version in left:
                try:
                    call_and_wait(self._request, "DELETE", f"{identifier}?api-version={version}")
                except ArmError as refused:
                    errors[identifier] = refused.inner()
                except OperationFailedError as failed:
                    errors[identifier] = terminal_failure(identifier, failed.error)
            remaining = list(_others(self._cloud, self._prepared))
            if len(remaining) >= len(left):
                self._failures.update(errors)
                return
            left = remaining

    def _evaluate_outputs(self) -> dict[str, Any]:
        began, scope = time.monotonic(), self._prepared.scope
        scope = replace(scope, environment={**scope.environment, **self._runtime})
        outputs, failures = {}, {}
        for name, output in self._prepared.template.outputs.items():
            try:
                if evaluate_value(output.get("condition", True), scope) is True:
                    outputs[name] = _evaluate_output(output, scope)
            except (TemplateError, ArmError) as error:
                failures[name] = error.message if isinstance(error, ArmError) else str(error)
        if failures:
            raise outputs_failed(failures)
        if outputs:
            self._record(None, began, 200, None)
        return outputs


def _evaluate_output(output: dict[str, Any], scope: Scope) -> dict[str, Any]:
    kind = spell_type(output.get("type"))
    if is_secret(kind):
        return {"type": kind}
    loop = output.get("copy")
    if isinstance(loop, dict):
        turns = range(count_copies(loop, scope))
        return {
            "type": kind,
            "value": [evaluate_value(loop.get("input"), scope.in_loop("", at, own=True)) for at in turns],
        }
    return {"type": kind, "value": evaluate_value(output.get("value"), scope)}


def _unprocessable(planned: Planned, error: TemplateError) -> str:
    return (
        f"Unable to process template language expressions for resource '{planned.id}' at line '1' and column '1'. "
        f"'{error}'"
    )


def _others(cloud: Cloud, prepared: Prepared) -> Iterator[tuple[str, str]]:
    """Give id and newest api-version of the group's top-level resources that the template does not have."""
    for resource in cloud.store.select(under=ResourceId(prepared.deployment.subscription, prepared.deployment.group)):
        kind = cloud.kind_of(resource.id.type)
        tracked = kind is not None and kind.tracked and resource.id.parent is None and resource.id.type != TYPE
        if kind is not None and tracked and resource.id.key not in prepared.plan.resources:
            yield str(resource.id), kind.api_versions[-1] if kind.api_versions else "2024-05-01"
